"""The report that a check writes beside what it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from forensics.types import ImageSample, Signal
from fusion.output.messages import Messages
from fusion.output.report import ReportEntry, entry, render_report
from fusion.output.view import view


class HtmlReport:
    """Collects checked images, then writes them as one HTML file."""

    def __init__(self, path: Path, say: Messages) -> None:
        self.path = path
        self._say = say
        self._entries: list[ReportEntry] = []

    def add(
        self, document: Mapping[str, Any], sample: ImageSample | None = None, signals: tuple[Signal, ...] = ()
    ) -> None:
        """Add one image; without a sample it is told without pictures."""
        shown = view(document, document["image_url"], self._say)
        self._entries.append(ReportEntry(shown) if sample is None else entry(shown, sample, signals, self._say))

    def write(self) -> None:
        """Write the file; OSError where it cannot be written."""
        short = short_names([one.view.name for one in self._entries])
        entries = [
            replace(one, view=replace(one.view, name=name)) for one, name in zip(self._entries, short, strict=True)
        ]
        self.path.write_text(render_report(entries, self._say), encoding="utf-8", errors="replace")


def short_names(names: Sequence[str]) -> list[str]:
    """The names without the folders that tell nothing apart: a report that is handed on shows no more of a machine."""
    parts = [[name] if "://" in name else PurePath(name).parts for name in names]
    found = []
    for own in parts:
        kept = 1
        while kept < len(own) and sum(other[-kept:] == own[-kept:] for other in parts) > 1:
            kept += 1
        found.append("/".join(own[-kept:]))
    return found
