"""Score a whole dataset on Ray: `python -m scripts.score_dataset INPUT --out DIR`."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from forensics.provenance.trust import read_trust_anchors
from forensics.registry import get
from fusion.artifacts.in_force import fusion_in_force
from fusion.settings import FusionSettings
from img_ml.command import data_console, run_command, talk_console, told_errors
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings
from scripts.scoring.cluster import Crew, ShardResult, answers, ray_running, require_ray
from scripts.scoring.errors import ScoringError, ScoringStoppedError
from scripts.scoring.folder import ScoreFolder, Settings, opened
from scripts.scoring.inputs import Listing, read_listing
from scripts.scoring.scorer import Scoring, shard_record
from worker.fetching.fetch import FetchLimits
from worker.settings import WorkerSettings, load

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Folder of images or Parquet files, or one file.")],
    out: Annotated[Path, typer.Option(help="Folder of the scores; the same one continues a run.")],
    profile: Annotated[str | None, typer.Option(help="Profile to run (default: IMG_ML_PROFILE).")] = None,
    column: Annotated[
        str | None, typer.Option(help="Column of the bytes, URLs or paths, where it is ambiguous.")
    ] = None,
    actors: Annotated[int | None, typer.Option(min=1, help="Actors (default: as many as fit).")] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Cores of each actor.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help="Maximum batch size.")] = 32,
    shard_size: Annotated[int, typer.Option(min=1, max=100_000, help="Images of each part that is written.")] = 500,
) -> None:
    """Judge every image of a dataset and write one row each, in Parquet parts; a run that was killed goes on.

    INPUT is a folder of images, Parquet with a column of bytes, or a CSV of URLs or paths. RAY_ADDRESS names a
    cluster; without it this machine does the work.

    Exit codes: 0 every image has its row, 1 no image could be judged, 2 the call is wrong, 3 ended before its time.
    """
    talk = talk_console()
    detectors, fusion, limits = load(ImgMlSettings), load(FusionSettings), load(WorkerSettings)
    if profile is not None:
        detectors = detectors.model_copy(update={"profile": profile})
    with told_errors(talk):
        require_ray()
        scoring = _scoring(detectors, fusion, limits, threads, batch_size)
        listing = read_listing(source, column, out)
        settings = _settings(listing, shard_size, scoring)
        try:
            with opened(out, settings) as folder:
                counts = _run(listing, shard_size, folder, replace(scoring, column=listing.column), actors, talk)
        except ScoringStoppedError as error:
            talk.print(f"Error: {error}")
            raise typer.Exit(3) from None
    raise typer.Exit(1 if counts["error"] == listing.images else 0)


def _scoring(
    detectors: ImgMlSettings, fusion: FusionSettings, limits: WorkerSettings, threads: int, batch_size: int
) -> Scoring:
    """What the actors are told; paths absolute, since they work elsewhere, and no secret."""
    own_profile = Path(detectors.profile).suffix == ".toml"
    changes = {
        "profile": str(Path(detectors.profile).absolute()) if own_profile else detectors.profile,
        "model_dir": detectors.model_dir.absolute(),
        "weights_dir": detectors.weights_dir.absolute(),
        "hf_token": None,
    }
    anchors = read_trust_anchors(detectors.c2pa_trust_anchors) if detectors.c2pa_trust_anchors else None
    as_published = load_profile(detectors.profile, detectors.model_dir).as_published
    rules = limits.sandbox_rules(anchors, threads, as_published=as_published)
    fetching = FetchLimits(
        limits.fetch_max_bytes, limits.fetch_timeout_s, limits.fetch_attempts, frozenset(limits.fetch_allow)
    )
    return Scoring(detectors.model_copy(update=changes), fusion, rules, fetching, "", "", threads, batch_size)


def _settings(listing: Listing, shard_size: int, scoring: Scoring) -> Settings:
    """What the scores depend on and is known beforehand; a folder never holds those of two of these."""
    profile = load_profile(scoring.detectors.profile, scoring.detectors.model_dir)
    return {
        "schema_version": 1,
        "kind_of_input": listing.kind,
        "column": listing.column,
        "number_of_images": listing.images,
        "list_of_images": listing.digest,
        "shard_size": shard_size,
        "profile": profile.name,
        "fingerprint": fusion_in_force(profile).fingerprint,
        "threshold": scoring.fusion.threshold,
        "largest_file": scoring.fetching.max_bytes,
        "most_pixels": scoring.decoding.limits.max_pixels,
    }


def _run(
    listing: Listing, shard_size: int, folder: ScoreFolder, scoring: Scoring, actors: int | None, talk: Console
) -> Counter[str]:
    """Score what is not scored yet; the counts over all parts."""
    starts = range(0, listing.images, shard_size)
    sizes = {shard: min(shard_size, listing.images - start) for shard, start in enumerate(starts)}
    finished = folder.finished(sizes)
    kept = sum(part.images for part in finished.values())
    talk.print(f"{listing.images} images in {len(sizes)} parts; {kept} of them are scored already.")
    records = [
        shard_record(shard, start, listing.span(start, start + sizes[shard]))
        for shard, start in enumerate(starts)
        if shard not in finished
    ]
    seconds = 0.0
    if records:
        known = {part.configuration for part in finished.values()}
        profile = load_profile(scoring.detectors.profile, scoring.detectors.model_dir)
        learned = any(get(name).load is not None for name in profile.detectors)
        with ray_running(actors, scoring.threads, learned) as crew:
            talk.print(_told_crew(crew))
            seconds = _score(records, sizes, folder, replace(scoring, mark=folder.mark), crew, known, talk)
    counts = folder.counts(len(sizes))
    data_console().print(_summary(counts, listing.images - kept, seconds), soft_wrap=True)
    return counts


def _score(
    records: list[dict[str, object]],
    sizes: Mapping[int, int],
    folder: ScoreFolder,
    scoring: Scoring,
    crew: Crew,
    known: set[str],
    talk: Console,
) -> float:
    """Write each part as its shard comes back; the seconds that took, the actors' start included."""
    since = time.monotonic()
    told: set[str] = set()
    columns = (TextColumn("Scoring"), BarColumn(), MofNCompleteColumn(), TextColumn("images"))
    clock = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *clock, console=talk, disable=not talk.is_terminal) as progress:
        bar = progress.add_task("", total=sum(sizes.values()), completed=sum(sizes.values()) - _todo(records, sizes))
        for answer in answers(records, scoring, crew):
            _check(answer, known, folder)
            for line in _missing(answer, told):
                talk.print(line)
            folder.write(answer.shard, answer.part)
            progress.advance(bar, answer.images)
    return time.monotonic() - since


def _todo(records: list[dict[str, object]], sizes: Mapping[int, int]) -> int:
    return sum(size for shard, size in sizes.items() if shard in {record["shard"] for record in records})


def _check(answer: ShardResult, known: set[str], folder: ScoreFolder) -> None:
    """Refuse an answer of an actor that has no judge, that failed, or that has another judge than those before."""
    if answer.problem and answer.configuration:
        raise ScoringStoppedError(f"{answer.problem.rstrip('.')}. What was finished is kept.")
    if answer.problem:
        raise ScoringError(answer.problem)
    known.add(answer.configuration)
    if len(known) > 1:
        raise ScoringError(
            f"The detectors or weights of this run differ from those of the parts in {folder.path}, or the machines "
            "of the cluster do not have the same ones. Pull the weights on each, or name another --out."
        )


def _missing(answer: ShardResult, told: set[str]) -> Iterator[str]:
    """A line for each detector that is left out, once."""
    for name, reason in json.loads(answer.missing).items():
        if name not in told:
            told.add(name)
            yield f"{name} is left out: {reason}"


def _told_crew(crew: Crew) -> str:
    gpus = f" and {crew.gpus:g} of an accelerator" if crew.gpus else ""
    return f"Actors: {crew.actors}, each with {crew.cpus} core{'s' if crew.cpus > 1 else ''}{gpus}."


def _summary(counts: Counter[str], scored: int, seconds: float) -> str:
    """One line: how many of each label, how many failed, how fast."""
    labels = ", ".join(f"{counts[label]} {label}" for label in ("AI", "NON-AI", "UNCERTAIN"))
    rate = (
        f"{scored} scored now, {scored / seconds:.1f} images/s" if scored and seconds else "nothing was left to score"
    )
    return f"{counts.total()} images: {labels}, {_errors(counts['error'])}; {rate}"


def _errors(count: int) -> str:
    return f"{count} error{'' if count == 1 else 's'}"


if __name__ == "__main__":
    run_command(app)
