"""Clean a dataset.csv of unusable files and duplicates: `python -m scripts.clean_dataset dataset.csv`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from forensics.crops import MIN_SIDE
from forensics.errors import DatasetError, UsageError
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.data.dataset import SPLITS, Row, read_rows
from scripts.dataset.cleaning import ACROSS_SPLITS, REASONS, LeftOut, find_left_out
from scripts.dataset.deletion import delete_files
from scripts.dataset.inventory import take_inventory
from scripts.dataset.tables import filepath_from, write_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def clean_dataset(
    dataset: Annotated[Path, typer.Argument(help="CSV with the columns filepath,label,split.")] = Path("dataset.csv"),
    out: Annotated[Path | None, typer.Option(help="The cleaned CSV (default: DATASET.cleaned.csv).")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Report of removed rows and why (default: DATASET.cleaning.csv).")
    ] = None,
    minimum_side: Annotated[
        int, typer.Option(min=1, help="Minimum shorter side; smaller images are removed.")
    ] = MIN_SIDE,
    delete: Annotated[bool, typer.Option("--delete", help="Also delete the files of removed rows.")] = False,
) -> None:
    """Leave out missing, unreadable and tiny images, duplicates, and what training shares with val or test.

    Exit codes: 0 written, 2 nothing to write (the reason is told), 3 some files could not be deleted.
    """
    talk = talk_console()
    out = out or dataset.with_name(f"{dataset.stem}.cleaned.csv")
    report = report or dataset.with_name(f"{dataset.stem}.cleaning.csv")
    failed: list[str] = []
    with told_errors(talk):
        if out.resolve() == report.resolve():
            raise UsageError(f"--out and --report both name {out}: give them different names.")
        rows = read_rows(dataset)
        left_out = find_left_out(rows, take_inventory(row.path for row in rows), minimum_side)
        going = {left.row for left in left_out}
        kept = [row for index, row in enumerate(rows) if index not in going]
        _check(dataset, kept, left_out)
        _write(rows, kept, left_out, out, report)
        if delete:
            needed = [dataset, out, report, *(row.path for row in kept)]
            deleted, failed = delete_files(_unwanted(rows, left_out), needed)
            talk.print(f"Deleted {deleted} files.")
    _show(rows, left_out)
    talk.print(f"Wrote {out}: {len(kept)} of {len(rows)} rows; {report} says why the others went.")
    if failed:
        talk.print(f"Error: {len(failed)} files were not deleted. {failed[0]}")
        raise typer.Exit(3)


def _unwanted(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> list[Path]:
    """The files to delete: not those that the disk merely did not give, for they may be sound."""
    return [rows[left.row].path for left in left_out if left.reason != "not_read"]


def _check(dataset: Path, kept: Sequence[Row], left_out: Sequence[LeftOut]) -> None:
    labels = {row.label for row in kept}
    if len(labels) < 2:
        commonest = ", ".join(
            f"{count} x {REASONS[reason]}" for reason, count in Counter(left.reason for left in left_out).most_common(3)
        )
        remains = f"only images of label {labels.pop()}" if labels else "nothing"
        cause = f" Left out: {commonest}; the first: {left_out[0].sentence}" if left_out else ""
        raise DatasetError(f"Of {dataset} {remains} would remain, so nothing was written.{cause}")


def _write(rows: Sequence[Row], kept: Sequence[Row], left_out: Sequence[LeftOut], out: Path, report: Path) -> None:
    """The report first: a cleaned CSV never stands without it."""
    reasons = [
        {
            "filepath": rows[left.row].record["filepath"],
            "reason": left.reason,
            "duplicate_of": "" if left.duplicate_of is None else rows[left.duplicate_of].record["filepath"],
            "sentence": left.sentence,
        }
        for left in left_out
    ]
    write_table(report, ("filepath", "reason", "duplicate_of", "sentence"), reasons)
    columns = [name for name in rows[0].record if name]
    cleaned = [{**row.record, "filepath": filepath_from(out.parent, row.path)} for row in kept]
    write_table(out, columns, cleaned)


def _show(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> None:
    console = data_console()
    if not left_out:
        console.print("Nothing to clean.")
        return
    table = Table("Left out because")
    for split in (*SPLITS, "all"):
        table.add_column(split, justify="right")
    count = Counter((left.reason, rows[left.row].split) for left in left_out)
    for reason, meaning in REASONS.items():
        numbers = [count[reason, split] for split in SPLITS]
        if sum(numbers):
            table.add_row(meaning, *(str(number) if number else "" for number in (*numbers, sum(numbers))))
    console.print(table)
    across = sum(left.reason in ACROSS_SPLITS for left in left_out)
    if across:
        console.print(
            f"{across} images stood in one split and again, or almost the same, in another: a model trained on them "
            "would have been judged on what it had seen. The copy nearer to training went."
        )


if __name__ == "__main__":
    run_command(app)
