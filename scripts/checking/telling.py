"""How checked images are told: JSON lines, CSV, one short line each, or a screen for people."""

import csv
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from rich.console import Console

from forensics.printable import on_one_line, printable_json
from fusion.output.messages import Messages
from fusion.output.terminal import show
from fusion.output.view import view
from img_ml.command import PlainConsole

Form = Literal["people", "json", "csv", "quiet"]
Document = Mapping[str, Any]
Tell = Callable[[Document], None]

CSV_COLUMNS = (
    "image",
    "status",
    "label",
    "label_basis",
    "ai_probability",
    "width",
    "height",
    "media_type",
    "sha256",
    "error",
    "message",
)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def teller(form: Form, talk: Console, say: Messages) -> Tell:
    """What tells a result document in that form: data on stdout, an error for people on `talk`."""
    if form == "json":
        return _json
    if form == "csv":
        _csv_row(CSV_COLUMNS)
        return lambda document: _csv_row(_csv_values(document))
    if form == "quiet":
        return lambda document: _quiet(document, say)
    return lambda document: _people(document, talk, say)


def _json(document: Document) -> None:
    _line(printable_json(json.dumps(document, ensure_ascii=False)))


def _csv_row(values: tuple[object, ...]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerow(map(_cell, values))
    sys.stdout.flush()


def _cell(value: object) -> object:
    """The value; an apostrophe before a text that a spreadsheet would take for a formula (OWASP, CSV injection)."""
    if not isinstance(value, str):
        return value
    return on_one_line(f"'{value}" if value.startswith(_FORMULA) else value)


def _csv_values(document: Document) -> tuple[object, ...]:
    image, error = document["image"] or {}, document["error"] or {}
    return (
        document["image_url"],
        document["status"],
        document["label"],
        document["label_basis"],
        document["fusion_prob"],
        image.get("width"),
        image.get("height"),
        image.get("media_type"),
        document["image_sha256"],
        error.get("code"),
        error.get("message"),
    )


def _quiet(document: Document, say: Messages) -> None:
    shown = view(document, document["image_url"], say)
    probability = "  -" if shown.probability is None else f"{shown.probability:>4.0%}"
    _line(f"{document['label'] or 'ERROR':<9} {probability}  {on_one_line(shown.name)}")


def _people(document: Document, talk: Console, say: Messages) -> None:
    if document["status"] == "done":
        show(PlainConsole(), document["image_url"], document, say)
    else:
        error = document["error"]
        told = say.retold(error["message"])
        talk.print(f"{document['image_url']}: {told} ({error['code']})", markup=False, soft_wrap=True)


def _line(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - stdout is data
