"""Judge images by hand: `python local_test.py IMAGE-OR-URL ...`."""

import asyncio
import sys
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.prompt import Prompt

from forensics.errors import ImgMlError, JobError
from img_ml.command import run_command, talk_console
from scripts.checking.inputs import Given, dropped, given
from scripts.checking.streams import write_utf8

if TYPE_CHECKING:
    from forensics.sandbox.sandbox import Sandbox
    from forensics.types import ImageSample
    from fusion.judge import Judge
    from fusion.output.messages import Messages
    from fusion.verdict import Verdict
    from scripts.checking.report import HtmlReport
    from scripts.checking.telling import Form, Tell
    from worker.settings import WorkerSettings

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)
talk = talk_console()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input."""

    name: str
    result: "Verdict | JobError"
    sample: "ImageSample | None" = None


@dataclass(frozen=True, slots=True)
class Reads:
    """What is read of an image: up to the worker's limits, in its sandbox, so many frames, and in which way."""

    limits: "WorkerSettings"
    sandbox: "Sandbox"
    frames: int = 1
    as_published: bool = False


@app.command()
def main(
    images: Annotated[list[str] | None, typer.Argument(metavar="[IMAGE-OR-URL]...", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each image, nothing else.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table in CSV, one row for each image.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One short line for each image.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a report: one HTML file with pictures and maps.")
    ] = None,
    debug_dir: Annotated[Path | None, typer.Option(help="Save heatmaps and what detectors see here, as PNG.")] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="Frames of an animation to judge; the verdict is that of the middle one.")
    ] = 1,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published",
            help="Read images as the authors of published detectors do: not turned by EXIF, transparent colours as "
            "they are stored, 16-bit grey as Pillow cuts it.",
        ),
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(help="tiny, light, standard, full or the path of a profile file (default: IMG_ML_PROFILE)."),
    ] = None,
) -> None:
    """Judge images: say whether each was made by a machine, and why. Without arguments, it asks for one.

    An image is a file, a folder (with all images in it), a pattern, a URL, or - for standard input: one image's
    bytes, or names, one a line.

    Exit codes: 0 no image is labelled AI, 1 at least one is, 2 nothing could be judged or the call is wrong, 3 some
    images could not be judged, 70 an internal error; --debug shows its trace.
    """
    write_utf8()
    form = _form(as_json, as_csv, quiet)
    inputs = list(given(images or _ask()))
    if not inputs:
        talk.print("There is no image: the folders and lists that were given hold none.")
        raise typer.Exit(2)
    # Imported late, so that --help and a wrong call answer at once.
    from scripts.checking.telling import teller

    with _alive("Loading the model"):
        # First, so that the decoding processes start beside the loading.
        limits, sandbox = _sandbox()
        judge = _loaded(profile)
    say = _messages()
    report = _report(html, say)
    with sandbox:
        reads = Reads(limits, sandbox, frames, as_published or judge.as_published)
        code = _run(inputs, judge, reads, debug_dir, teller(form, talk, say), report)
    if report is not None:
        _write(report)
    raise typer.Exit(code)


def _form(as_json: bool, as_csv: bool, quiet: bool) -> "Form":
    chosen: list[Form] = [form for form, wanted in (("json", as_json), ("csv", as_csv), ("quiet", quiet)) if wanted]  # type: ignore[misc]
    if len(chosen) > 1:
        raise typer.BadParameter("Choose one of --json, --csv and --quiet.")
    return chosen[0] if chosen else "people"


def _sandbox() -> "tuple[WorkerSettings, Sandbox]":
    """The worker's limits, and a sandbox that holds to them, already starting."""
    from forensics.sandbox.processes import process_context

    process_context()
    from forensics.provenance.trust import install_trust_anchors, read_trust_anchors
    from forensics.sandbox.sandbox import Sandbox
    from img_ml.settings import ImgMlSettings
    from worker.settings import WorkerSettings, load

    limits = load(WorkerSettings)
    anchors = load(ImgMlSettings).c2pa_trust_anchors
    try:
        trusted = read_trust_anchors(anchors) if anchors is not None else None
        if trusted is not None:
            install_trust_anchors(trusted)
    except (ImgMlError, OSError) as error:
        talk.print(f"Error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    sandbox = Sandbox(limits.sandbox_rules(trusted, processes=1))
    sandbox.warm()
    return limits, sandbox


def _loaded(profile: str | None) -> "Judge":
    from fusion.judge import load_judge
    from fusion.settings import FusionSettings
    from img_ml.settings import ImgMlSettings
    from worker.settings import load

    detectors = load(ImgMlSettings)
    detectors = detectors if profile is None else detectors.model_copy(update={"profile": profile})
    try:
        return load_judge(detectors, load(FusionSettings))
    except (ImgMlError, OSError) as error:
        talk.print(f"Error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def _run(
    inputs: Sequence[Given],
    judge: "Judge",
    reads: Reads,
    debug_dir: Path | None,
    tell: "Tell",
    report: "HtmlReport | None",
) -> int:
    """Judge each image and tell about it; the exit code."""
    labels: list[str | None] = []
    stems: dict[str, int] = {}
    for one in _followed(inputs):
        outcome = _outcome(one, judge, reads)
        document = _document(outcome)
        tell(document)
        labels.append(document["label"] if document["status"] == "done" else None)
        if outcome.sample is not None and not isinstance(outcome.result, JobError) and (debug_dir or report):
            signals = judge.located(outcome.sample, outcome.result)
            if debug_dir is not None:
                _save(outcome.sample, signals, debug_dir, _stem(one.name, stems))
            if report is not None:
                report.add(document, outcome.sample, signals)
        elif report is not None:
            report.add(document)
    if None in labels:
        return 3 if any(labels) else 2
    return 1 if "AI" in labels else 0


def _followed(inputs: Sequence[Given]) -> "Any":
    """The inputs, with a bar on stderr where that is a terminal and there are several.

    What is printed meanwhile goes where it should: rich would lead stdout into its own console on stderr.
    """
    if len(inputs) < 2 or not talk.is_terminal:
        with _alive("Judging"):
            yield from inputs
        return
    from rich.progress import Progress

    with Progress(console=talk, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        yield from progress.track(inputs, description="Judging")


def _alive(what: str) -> AbstractContextManager[Any]:
    """A moving sign on a terminal that something is being done."""
    if not talk.is_terminal or sys.stdout.isatty():
        return nullcontext() if not talk.is_terminal else talk.status(f"{what} ...")
    from rich.live import Live
    from rich.spinner import Spinner

    return Live(Spinner("dots", f"{what} ..."), console=talk, transient=True, redirect_stdout=False)


def _outcome(one: Given, judge: "Judge", reads: Reads) -> Outcome:
    from forensics.sandbox.examination import examine_bytes
    from fusion.frames import judge_frames

    sandbox = reads.sandbox
    limits = replace(sandbox.rules.limits, as_published=reads.as_published)
    try:
        data = _bytes_of(one.name, reads.limits) if one.data is None else one.data
        verdict, sample = judge_frames(
            judge,
            lambda frame: sandbox.run(examine_bytes, data, limits, judge.analyzers, True, frame),
            reads.frames,
        )
    except JobError as error:
        return Outcome(one.name, error)
    return Outcome(one.name, verdict, sample)


def _document(outcome: Outcome) -> dict[str, Any]:
    from fusion.output.result import result_document

    return result_document(outcome.result, image_url=outcome.name)


def _bytes_of(name: str, limits: "WorkerSettings") -> bytes:
    """The bytes of a file of any size, or what is behind a URL under the worker's own rules."""
    from worker.errors import FetchFailedError

    if "://" in name:
        return asyncio.run(_fetched(name, limits))
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FetchFailedError(f"The file cannot be read: {reason}.") from None


async def _fetched(url: str, limits: "WorkerSettings") -> bytes:
    from worker.fetching.fetch import Fetcher, FetchLimits

    rules = FetchLimits(
        limits.fetch_max_bytes, limits.fetch_timeout_s, limits.fetch_attempts, frozenset(limits.fetch_allow)
    )
    fetcher = Fetcher(rules)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.close()


def _stem(name: str, taken: dict[str, int]) -> str:
    """The name's stem; with a number behind it where an earlier input has the same one."""
    stem = Path(name).stem or "image"
    while (key := stem.casefold()) in taken:
        taken[key] += 1
        stem = f"{stem}-{taken[key]}"
    taken[key] = 1
    return stem


def _save(sample: "ImageSample", signals: Any, folder: Path, stem: str) -> None:
    from img_ml.pictures.heatmaps import save_heatmaps, save_pictures

    try:
        written = [*save_heatmaps(sample, signals, folder, stem), *save_pictures(sample, signals, folder, stem)]
    except OSError as error:
        talk.print(f"The pictures cannot be saved in {folder}: {error.strerror}.", markup=False, soft_wrap=True)
        return
    for path in written:
        talk.print(f"Saved {path}", markup=False, soft_wrap=True)


def _messages() -> "Messages":
    from fusion.output.messages import messages
    from fusion.settings import FusionSettings
    from worker.settings import load

    return messages(load(FusionSettings).language)


def _report(path: Path | None, say: "Messages") -> "HtmlReport | None":
    if path is None:
        return None
    from scripts.checking.report import HtmlReport

    return HtmlReport(path, say)


def _write(report: "HtmlReport") -> None:
    try:
        report.write()
    except OSError as error:
        talk.print(f"The report cannot be written to {report.path}: {error.strerror}.", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    talk.print(f"Report: {report.path}", markup=False, soft_wrap=True)


def _ask() -> list[str]:
    """The images that the person at the terminal names; with a Redis URL given, they go to a worker there instead."""
    if not sys.stdin.isatty():
        talk.print("Usage: python local_test.py IMAGE-OR-URL ... (see --help)")
        raise typer.Exit(2)
    images: list[str] = []
    while not images:
        images = dropped(Prompt.ask("Image (a path or a URL; drag a file here)", console=talk))
    talk.print("It can be judged on this machine, or by a worker that runs elsewhere and is reached through its Redis.")
    question = "Redis URL of that worker, as redis://host:6379 (Enter: judge here)"
    redis_url = Prompt.ask(question, console=talk, default="", show_default=False)
    if redis_url.strip():
        raise typer.Exit(_send(redis_url.strip(), images))
    return images


def _send(redis_url: str, images: Sequence[str]) -> int:
    """Let the worker at that Redis judge the images; the exit code of scripts.push."""
    import json

    import redis

    from scripts.checking.telling import teller
    from scripts.push import send
    from worker.settings import WorkerSettings, load

    if not all("://" in image for image in images):
        talk.print("A worker elsewhere cannot read a file of this machine: give the image's URL.")
        return 2
    tell = teller("people", talk, _messages())
    jobs = {str(uuid.uuid4()): image for image in images}

    def shown(line: str) -> None:
        answer = json.loads(line)
        if answer["status"] == "dead_letter":
            talk.print(f"The job was given up: {answer['reason']}", markup=False, soft_wrap=True)
        else:
            tell(answer)

    try:
        return send(redis_url, load(WorkerSettings), jobs, client_id="local_test", timeout_s=300, tell=shown)
    except (redis.RedisError, ValueError, OSError) as error:
        talk.print(f"Redis cannot be used: {error}", markup=False, soft_wrap=True)
        return 2


if __name__ == "__main__":
    run_command(app)
