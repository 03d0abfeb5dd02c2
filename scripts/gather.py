"""Gather crops from clones of public repositories: `python -m scripts.gather sources.csv --from CLONES --out DIR`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from forensics.errors import DatasetError
from forensics.files import write_atomically
from forensics.sandbox.sandbox import Sandbox
from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load as load_settings
from img_ml.command import PlainConsole, run_command, told_errors
from img_ml.data.dataset import read_rows
from scripts.dataset.gather.assembling import COLUMNS, assemble, record_of
from scripts.dataset.gather.cropping import Cropping
from scripts.dataset.gather.gathering import Gathered, gather
from scripts.dataset.gather.records import keep, kept, key_of
from scripts.dataset.gather.report import as_json, as_table, source_reports
from scripts.dataset.gather.snapshots import find_clone, head_of
from scripts.dataset.gather.sources import SourceRow, read_sources
from scripts.dataset.tables import filepath_from, write_table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a gathering."""

    snapshots: Path
    out: Path
    most: int
    cropping: Cropping


@dataclass(frozen=True, slots=True)
class Found:
    """Repositories with their rows and what they gave; those that cannot be had, with the reason; those refused."""

    gathering: list[tuple[list[SourceRow], Gathered]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@app.command("gather")
def gather_command(
    sources: Annotated[
        Path, typer.Argument(help="CSV with the columns repo,label,path_regex(,generator,licence,most).")
    ],
    snapshots: Annotated[Path, typer.Option("--from", help="Folder of clones: owner+name, owner/name or name.")],
    out: Annotated[Path, typer.Option(help="Folder of the dataset; a repository that is done is not read again.")],
    exclude: Annotated[
        list[Path] | None, typer.Option(help="A dataset.csv whose val and test images must stay out; repeatable.")
    ] = None,
    most_per_row: Annotated[int, typer.Option(min=1, help="Maximum number of images of a row without a `most`.")] = 400,
    crops: Annotated[int, typer.Option(min=1, max=16, help="Crops of an image.")] = 3,
    side: Annotated[int, typer.Option(min=64, help="Width and height of a crop in pixels.")] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
) -> None:
    """Cut native crops from the images of repositories, all written by one encoder, into a dataset of split train.

    Exit codes: 0 written, 2 nothing to write (the reason is told), 3 written, but repositories or files are missing.
    """
    talk = PlainConsole(stderr=True, width=None if sys.stderr.isatty() else 180)
    wanted = Wanted(snapshots, out, most_per_row, Cropping(crops, side, seed))
    with told_errors(talk):
        rows = list(dict.fromkeys(read_sources(sources)))
        held_out = [row for path in exclude or [] for row in read_rows(path) if row.split != "train"]
        found = _find(rows, wanted, {row.source.lower() for row in held_out}, talk)
        if not any(gathered.images for _, gathered in found.gathering):
            raise DatasetError(f"No row of {sources} gave an image. {_first(found)}")
        assembled = assemble(found.gathering, out / "images", held_out)
        reports = source_reports(found.gathering, assembled)
        report = as_json(reports, found.absent, found.refused, most_per_row, wanted.cropping)
        write_atomically(out / "report.json", json.dumps(report, indent=2) + "\n")
        records = [record_of(crop, filepath_from(out, crop.path)) for crop in assembled.crops]
        write_table(out / "dataset.csv", COLUMNS, records)
    talk.print(as_table(reports))
    _tell_left_out(found, talk)
    talk.print(f"Wrote {out / 'dataset.csv'}: {len(records)} crops; report.json beside it has every source.")
    lacking = any("absent" in count.skipped for _, gathered in found.gathering for count in gathered.rows)
    raise typer.Exit(3 if found.absent or lacking else 0)


def _find(rows: Sequence[SourceRow], wanted: Wanted, judged: set[str], talk: Console) -> Found:
    """Gather every repository that is there, but none of `judged`, the sources of val and test in lower case."""
    of_repository: dict[str, list[SourceRow]] = {}
    for row in rows:
        of_repository.setdefault(row.repository, []).append(row)
    found = Found()
    with Sandbox(load_settings(SandboxSettings).sandbox_rules()) as sandbox:
        for repository in track(list(of_repository), "Gathering", console=talk, disable=not talk.is_terminal):
            clone = find_clone(wanted.snapshots, repository, of_repository)
            if repository.lower() in judged:
                found.refused.append(repository)
            elif clone is None:
                found.absent[repository] = f"There is no clone of it in {wanted.snapshots}."
            else:
                _take(repository, clone, of_repository[repository], wanted, sandbox, found)
    return found


def _take(repository: str, clone: Path, rows: list[SourceRow], wanted: Wanted, sandbox: Sandbox, found: Found) -> None:
    """Gather a repository, or take what an earlier run gathered of the same commit with the same settings."""
    try:
        commit = head_of(clone)
    except DatasetError as error:
        found.absent[repository] = str(error)
        return
    images = wanted.out / "images"
    record = wanted.out / "done" / f"{repository.replace('/', '+')}.json"
    key = key_of(commit, rows, wanted.most, wanted.cropping)
    gathered = kept(record, key, images)
    if gathered is None:
        gathered = gather(clone, commit, rows, wanted.most, wanted.cropping, images, sandbox)
        keep(record, key, gathered)
    found.gathering.append((rows, gathered))


def _first(found: Found) -> str:
    told = [f"{repository}: {reason}" for repository, reason in found.absent.items()]
    told += [f"{repository} is a source of val or test in --exclude." for repository in found.refused]
    if told:
        return f"The first that was left out is {told[0]}"
    return "Their patterns match no usable image."


def _tell_left_out(found: Found, talk: Console) -> None:
    for repository in found.refused:
        talk.print(f"Not taken: {repository} is a source of val or test in --exclude.", soft_wrap=True)
    for repository, reason in found.absent.items():
        talk.print(f"Missing: {repository}: {reason}", soft_wrap=True)


if __name__ == "__main__":
    run_command(app)
