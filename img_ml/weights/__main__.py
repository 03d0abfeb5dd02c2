"""`python -m img_ml.weights list | pull | verify | restore`: the networks' weights, and whether they are unchanged."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from forensics.errors import WeightsError
from forensics.settings import load as load_settings
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.profiles import BUILT_IN, load_profile
from img_ml.settings import ImgMlSettings
from img_ml.weights.adopt import adopt
from img_ml.weights.hub import download, remote_size
from img_ml.weights.lock import LockedWeights, read_lock
from img_ml.weights.record import WeightsRecord
from img_ml.weights.store import PACKAGED, install, problems, pull_command, restore, state_of
from img_ml.weights.table import detector_of, find, needed, records

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
talk = talk_console()

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)]


@app.callback()
def main() -> None:
    """The networks' weights: what there is, how to get it, whether it is unchanged.

    Exit codes: 0 done, 1 something is missing or was changed, 2 it cannot be done, 3 interrupted.
    """


@app.command(name="list")
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
) -> None:
    """List every set of weights and whether it is here (by file sizes; `verify` reads every byte)."""
    with told_errors(talk):
        folder = load_settings(ImgMlSettings).weights_dir
        states = {record.name: state_of(record, folder) for record in records()}
    if as_json:
        rows = [{**_described(record), "state": states[record.name]} for record in records()]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    table = Table("Name", "For", "Profile", "Size", "Licence", "State")
    for record in records():
        table.add_row(
            record.name,
            detector_of(record),
            record.tier,
            told_size(record.size),
            record.licence,
            states[record.name],
        )
    data_console().print(table)
    talk.print(f"Weights folder: {folder}")


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(metavar="PROFILE|NAME...", show_default=False)],
    source: Annotated[
        Path | None, typer.Option("--from", help="Use a local file or folder instead of downloading.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Download without asking.")] = False,
) -> None:
    """Get the weights of a profile, or single ones, and note their SHA-256 in the lock file.

    What is here already stays. A broken download goes on where it stopped. HF_TOKEN, HF_HOME, HF_ENDPOINT and
    HF_HUB_OFFLINE are honoured. PyTorch checkpoints become safetensors; those that could run code are refused.
    """
    with told_errors(talk):
        settings = load_settings(ImgMlSettings)
        if source is not None:
            _adopt(names, source, settings)
            return
        wanted = _wanted(names, settings)
        local = [record for record in wanted if record.origin != "hub"]
        lacking = [record for record in wanted if not _is_here(record, settings.weights_dir)]
        _download([record for record in lacking if record.origin == "hub"], settings, yes)
        if not wanted:
            talk.print(f"{' '.join(names)} needs no weights.")
        for record in wanted:
            if record not in lacking:
                talk.print(f"{record.name} is here already.")
        left = [record for record in local if record in lacking]
        for record in left:
            then = "Train it" if record.origin == "trained" else "Then"
            talk.print(f"{record.name} is not on a hub: {record.where}. {then}: {pull_command(record)}")
    if any(record.name in names for record in left):
        raise typer.Exit(2)


@app.command()
def verify(names: Names = None) -> None:
    """Read every byte and compare it with the lock file; all that is packaged or was pulled when no name is given."""
    with told_errors(talk):
        folder = load_settings(ImgMlSettings).weights_dir
        locked = read_lock(folder)
        packaged = {
            name: one for name, one in read_lock(PACKAGED).items() if state_of(find(name), folder) == "packaged"
        }
        places = {**dict.fromkeys(packaged, PACKAGED), **dict.fromkeys(locked, folder)}
        locked = {**packaged, **locked}
        chosen = [find(name).name for name in names] if names else sorted(locked)
        bad = False
        for name in chosen:
            found = problems(name, locked[name], places[name]) if name in locked else [f"{name} is not installed"]
            for problem in found:
                talk.print(f"{problem}.")
            if not found:
                files = locked[name].files
                talk.print(f"{name}: {len(files)} files, {told_size(sum(f.size for f in files.values()))}, unchanged.")
            bad = bad or bool(found)
        if not chosen:
            talk.print(f"No weights are installed in {folder}.")
    raise typer.Exit(1 if bad else 0)


@app.command("restore")
def bring_back(name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """Bring back the weights of that name that a training or `pull --from` replaced last."""
    with told_errors(talk):
        locked = restore(_named(name), load_settings(ImgMlSettings).weights_dir)
    talk.print(f"{name} is what it was before: {locked.source}.")


def told_size(size: int) -> str:
    """Bytes for people: 346 MB, 10.2 GB; unknown for 0."""
    if size == 0:
        return "unknown"
    if size < 1e6:
        return f"{max(size / 1e3, 1):.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _described(record: WeightsRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "detectors": [detector_of(record)],
        "profile": record.tier,
        "origin": record.origin,
        "repository": record.repository,
        "revision": record.revision if record.origin == "hub" else "",
        "size": record.size,
        "licence": record.licence,
        "where": record.where,
        "files": [file.name for file in record.files],
    }


def _wanted(names: Sequence[str], settings: ImgMlSettings) -> list[WeightsRecord]:
    """The records of profiles and names, each once."""
    found: list[WeightsRecord] = []
    for name in names:
        if name in BUILT_IN or name.endswith(".toml"):
            found += _of_profile(name, settings)
        else:
            found.append(_named(name))
    return list(dict.fromkeys(found))


def _named(name: str) -> WeightsRecord:
    try:
        return find(name)
    except WeightsError as error:
        known = ", ".join([*BUILT_IN, *(record.name for record in records())])
        raise WeightsError(f"{error} Name a profile or weights: {known}.") from None


def _of_profile(name: str, settings: ImgMlSettings) -> list[WeightsRecord]:
    profile = load_profile(name, settings.model_dir)
    found: list[WeightsRecord] = []
    for detector in profile.detectors:
        chosen = profile.options.get(detector, {}).get("weights")
        found += needed(detector, profile.tier) if chosen is None else (find(chosen),)
    return found


def _is_here(record: WeightsRecord, folder: Path) -> bool:
    """Whether the files are here and of the revision that the table names."""
    state = state_of(record, folder)
    if state != "present":
        return state == "packaged"
    locked = read_lock(folder)[record.name]
    return record.revision in ("main", locked.revision) or locked.source != record.repository


def _adopt(names: Sequence[str], source: Path, settings: ImgMlSettings) -> None:
    if len(names) != 1 or names[0] in BUILT_IN:
        raise WeightsError("With --from, name exactly one set of weights.")
    record = find(names[0])

    def fill(folder: Path) -> str:
        adopt(record, source, folder)
        return ""

    install(record, settings.weights_dir, source.name, fill)
    talk.print(f"Adopted {source} as {record.name}.")


def _download(records: Sequence[WeightsRecord], settings: ImgMlSettings, yes: bool) -> None:
    if not records:
        return
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    locked = read_lock(settings.weights_dir)
    revisions = {record.name: _revision(record, locked) for record in records}
    for record in records:
        size = remote_size(record, revisions[record.name], token)
        told = told_size(size) if size is not None else f"about {told_size(record.size)}"
        talk.print(f"{record.name}: {told} from {record.repository}, licence {record.licence}")
    if not yes and sys.stdin.isatty() and not typer.confirm("Download?", default=True, err=True):
        raise WeightsError("Nothing was downloaded.")
    for record in records:
        revision = revisions[record.name]

        def fill(folder: Path, record: WeightsRecord = record, revision: str = revision) -> str:
            return download(record, revision, token, folder)

        done = install(record, settings.weights_dir, record.repository, fill)
        talk.print(f"{record.name} is installed, revision {done.revision}.")


def _revision(record: WeightsRecord, locked: Mapping[str, LockedWeights]) -> str:
    """The table's commit; of a branch, the commit that the lock file pinned at the first pull."""
    pinned = locked.get(record.name)
    if record.revision == "main" and pinned is not None and pinned.source == record.repository:
        return pinned.revision
    return record.revision


if __name__ == "__main__":
    run_command(app)
