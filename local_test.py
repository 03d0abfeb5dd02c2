"""Judge images by hand: `python local_test.py IMAGE-OR-URL ...`."""

import asyncio
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.prompt import Prompt

from forensics.errors import ImgMlError, JobError
from forensics.provenance.trust import install_trust_anchors, read_trust_anchors
from forensics.reading.decode import DecodeLimits, decode
from forensics.types import ImageSample, Signal
from fusion.judge import Judge, load_judge
from fusion.output.result import result_document
from fusion.output.terminal import show
from fusion.settings import FusionSettings
from fusion.verdict import Verdict
from img_ml.pictures.heatmaps import save_heatmaps, save_pictures
from img_ml.settings import ImgMlSettings
from worker.errors import FetchFailedError, TooLargeError
from worker.fetching.fetch import Fetcher, FetchLimits
from worker.settings import WorkerSettings, load

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
talk = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input."""

    name: str
    result: Verdict | JobError
    sample: ImageSample | None = None


@app.command()
def main(
    images: Annotated[list[str] | None, typer.Argument(metavar="[IMAGE-OR-URL]...", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each image, nothing else.")] = False,
    debug_dir: Annotated[Path | None, typer.Option(help="Save heatmaps and what detectors see here, as PNG.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile to run; IMG_ML_PROFILE when not given.")] = None,
) -> None:
    """Judge images: say whether each was made by a machine, and why. Called bare, it asks for one.

    Exit codes: 0 no image is labelled AI, 1 at least one is, 2 nothing could be judged or the call is wrong, 3 some
    images could not be judged.
    """
    if not images:
        images = [_ask()]
    detectors = load(ImgMlSettings)
    detectors = detectors if profile is None else detectors.model_copy(update={"profile": profile})
    limits = load(WorkerSettings)
    try:
        if detectors.c2pa_trust_anchors is not None:
            install_trust_anchors(read_trust_anchors(detectors.c2pa_trust_anchors))
        judge = load_judge(detectors, load(FusionSettings))
    except (ImgMlError, OSError) as error:
        talk.print(f"Error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    tell = _tell_json if as_json else _tell_people
    raise typer.Exit(_run(images, judge, limits, debug_dir, tell))


def _run(
    images: list[str], judge: Judge, limits: WorkerSettings, debug_dir: Path | None, tell: Callable[[Outcome], None]
) -> int:
    """Judge each image and tell about it; the exit code."""
    results = []
    several = len(images) > 1 and talk.is_terminal
    for name in track(images, "Judging", console=talk, transient=True, disable=not several):
        outcome = _outcome(name, judge, limits)
        tell(outcome)
        if debug_dir is not None and outcome.sample is not None and isinstance(outcome.result, Verdict):
            _save(outcome.sample, judge.located(outcome.sample, outcome.result), debug_dir, name)
        results.append(outcome.result)
    verdicts = [result for result in results if isinstance(result, Verdict)]
    if len(verdicts) < len(results):
        return 3 if verdicts else 2
    return 1 if any(verdict.label == "AI" for verdict in verdicts) else 0


def _outcome(name: str, judge: Judge, limits: WorkerSettings) -> Outcome:
    try:
        sample = decode(_bytes_of(name, limits), DecodeLimits(limits.fetch_max_pixels))
    except JobError as error:
        return Outcome(name, error)
    return Outcome(name, judge.judge([sample])[0], sample)


def _bytes_of(name: str, limits: WorkerSettings) -> bytes:
    """The bytes of a file, or behind a URL under the worker's own rules."""
    if "://" in name:
        return asyncio.run(_fetched(name, limits))
    try:
        path = Path(name)
        if path.stat().st_size > limits.fetch_max_bytes:
            raise TooLargeError(f"The file is larger than {limits.fetch_max_bytes} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise FetchFailedError(f"The file cannot be read: {error.strerror}.") from None


async def _fetched(url: str, limits: WorkerSettings) -> bytes:
    rules = FetchLimits(
        limits.fetch_max_bytes, limits.fetch_timeout_s, limits.fetch_attempts, frozenset(limits.fetch_allow)
    )
    fetcher = Fetcher(rules)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.close()


def _tell_json(outcome: Outcome) -> None:
    print(json.dumps(result_document(outcome.result, image_url=outcome.name), ensure_ascii=False), flush=True)  # noqa: T201


def _tell_people(outcome: Outcome) -> None:
    if isinstance(outcome.result, Verdict):
        show(Console(highlight=False), outcome.name, outcome.result)
    else:
        talk.print(f"{outcome.name}: {outcome.result} ({outcome.result.code})", markup=False, soft_wrap=True)


def _save(sample: ImageSample, signals: tuple[Signal, ...], folder: Path, name: str) -> None:
    stem = Path(name).stem or "image"
    try:
        written = [*save_heatmaps(sample, signals, folder, stem), *save_pictures(sample, signals, folder, stem)]
    except OSError as error:
        talk.print(f"The pictures cannot be saved in {folder}: {error.strerror}.", markup=False, soft_wrap=True)
        return
    for path in written:
        talk.print(f"Saved {path}", markup=False, soft_wrap=True)


def _ask() -> str:
    """The image that the person at the terminal names; with a Redis URL given, it goes to a worker there instead."""
    if not sys.stdin.isatty():
        talk.print("Usage: python local_test.py IMAGE-OR-URL ... (see --help)")
        raise typer.Exit(2)
    image = ""
    while not image:
        image = Prompt.ask("Image (path or URL)", console=talk).strip()
    question = "Redis URL of a running worker's environment (Enter: judge here)"
    redis_url = Prompt.ask(question, console=talk, default="", show_default=False)
    if redis_url.strip():
        raise typer.Exit(_send(redis_url.strip(), image))
    return image


def _send(redis_url: str, image: str) -> int:
    """Let the worker at that Redis judge the image; the exit code of scripts.push."""
    import redis

    from scripts.push import send

    if "://" not in image:
        talk.print("A worker elsewhere cannot read a file of this machine: give the image's URL.")
        return 2
    try:
        return send(redis_url, load(WorkerSettings), {str(uuid.uuid4()): image}, client_id="local_test", timeout_s=300)
    except (redis.RedisError, ValueError, OSError) as error:
        talk.print(f"Redis cannot be used: {error}", markup=False, soft_wrap=True)
        return 2


if __name__ == "__main__":
    app()
