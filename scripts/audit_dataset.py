"""How far files give their label away without their pixels: `python -m scripts.audit_dataset dataset.csv`."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from forensics.errors import DatasetError
from forensics.files import write_atomically
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import Row, read_rows
from scripts.dataset.inventory import ImageFacts, Unreadable, take_inventory
from scripts.dataset.shortcuts import FOLDS, LIMIT, TOGETHER, Auc, Finding, audit

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def audit_dataset(
    dataset: Annotated[Path, typer.Argument(help="CSV with the columns filepath,label,split (source).")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the findings to this file.")] = None,
) -> None:
    """Measure how well format, size, compression and metadata each predict the label, by cross-validated AUC.

    0.5 is chance; 1.0 tells the classes apart without a look at the picture.

    Measured on sources that were not learned from, and on other images of those that were.

    Exit codes: 0 nothing is above 0.6, 1 something is, 2 bad input.
    """
    talk = talk_console()
    with told_errors(talk):
        rows, images, unreadable = _readable(dataset)
        findings = audit(rows, images)
        if json_file:
            write_atomically(json_file, json.dumps(_as_json(findings, len(unreadable)), indent=2) + "\n")
    if unreadable:
        first = unreadable[0]
        talk.print(f"{len(unreadable)} rows have no readable image, the first is {first.path}: {first.problem}")
    if findings[-1].across is None:
        talk.print(f"There are fewer than {FOLDS} sources of a class, so nothing is measured across sources.")
    _show(findings)
    raise typer.Exit(1 if any(finding.gives_away for finding in findings) else 0)


def _readable(dataset: Path) -> tuple[list[Row], list[ImageFacts], list[Unreadable]]:
    """The rows with a readable image, their facts, and what could not be read."""
    rows = read_rows(dataset)
    facts = take_inventory(row.path for row in rows)
    unreadable = [fact for fact in facts.values() if isinstance(fact, Unreadable)]
    pairs = [(row, fact) for row in rows if isinstance(fact := facts[row.path], ImageFacts)]
    if not pairs:
        raise DatasetError(f"No image of {dataset} can be read, the first is {unreadable[0].path}.")
    return [row for row, _ in pairs], [fact for _, fact in pairs], unreadable


def _show(findings: Sequence[Finding]) -> None:
    console = data_console()
    table = Table("Trace", title="AUC of each trace alone, 95 % interval", title_justify="left", title_style="bold")
    for heading in ("Images", "On unseen sources", "On known sources"):
        table.add_column(heading, justify="right")
    for finding in findings:
        style = "bold red" if finding.gives_away else None
        cells = (_told(finding.across), _told(finding.among))
        table.add_row(finding.name, str(finding.images), *cells, style=style)
    console.print(table)
    flagged = [finding for finding in findings if finding.gives_away]
    for finding in [finding for finding in flagged if finding.name != TOGETHER] or flagged:
        console.print(_warning(finding), highlight=False)
    if flagged:
        console.print(
            "Training crops and encodes every view of both classes alike, which hides most of this from the model. "
            "Quote figures from views encoded alike too, never from these files as they are."
        )
    else:
        console.print(f"Nothing is above {LIMIT}: these traces do not give the label away.")


def _told(interval: Auc | None) -> str:
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})" if interval else "not measured"


def _warning(finding: Finding) -> str:
    """What a trace tells, where, how surely, and what to do."""
    above = [found for found in (finding.across, finding.among) if found and found.value > LIMIT]
    where = "" if finding.across in above else " among images of known sources"
    chance = " This may be chance: the interval reaches 0.5." if all(found.low <= 0.5 for found in above) else ""
    return f"{finding.name}: AUC {finding.highest:.2f}{where}, without a look at the picture.{chance} {finding.advice}"


def _as_json(findings: Sequence[Finding], unreadable: int) -> dict[str, object]:
    return {
        "limit": LIMIT,
        "unreadable": unreadable,
        "findings": [
            {
                "trace": finding.name,
                "images": finding.images,
                "on_unseen_sources": _interval_as_json(finding.across),
                "on_known_sources": _interval_as_json(finding.among),
                "gives_away": finding.gives_away,
                "advice": finding.advice,
            }
            for finding in findings
        ],
    }


def _interval_as_json(interval: Auc | None) -> dict[str, float | None] | None:
    """The interval, with null for ends that could not be measured."""
    if interval is None:
        return None
    return {name: None if math.isnan(value) else value for name, value in asdict(interval).items()}


if __name__ == "__main__":
    run_command(app)
