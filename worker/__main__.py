"""`python -m worker`: judge the images that jobs on a Redis stream name, until told to stop."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from img_ml.command import run_command
from worker.commands import dlq as dlq_command
from worker.commands.status import status
from worker.settings import WorkerSettings, load

if TYPE_CHECKING:
    from fusion.artifacts.live import LiveJudge
    from fusion.settings import FusionSettings
    from img_ml.settings import ImgMlSettings

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.command()(status)
app.add_typer(dlq_command.app, name="dlq")


@app.callback(invoke_without_command=True)
def work(
    context: typer.Context,
    stop_when_idle: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Stop once the stream has been empty for this many seconds."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more detail.")] = False,
) -> None:
    """Take image jobs from a Redis stream, judge them, put verdicts on the result stream.

    Settings come from the environment or .env (docs/settings.md); without REDIS_URL a private Redis is started.
    SIGTERM or Ctrl-C finishes the jobs in work and hands back the rest; a second one hands back everything at once.
    SIGHUP looks at once whether another artifact is in force.

    Exit codes: 0 told to stop, or idle; 2 a setting, a model file or Redis makes it impossible to start.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load(WorkerSettings)
    # Imported late, so that --help and a wrong setting answer at once.
    from forensics.errors import ImgMlError
    from forensics.printable import printable
    from fusion.settings import FusionSettings
    from img_ml.settings import ImgMlSettings
    from worker.launch import run_worker
    from worker.observability.telemetry import configure_logging

    detectors, fusion = load(ImgMlSettings), load(FusionSettings)
    configure_logging(verbose=verbose)
    try:
        run_worker(
            settings,
            lambda: _judge(settings, detectors, fusion),
            stop_when_idle_s=stop_when_idle,
            trust_anchors=_trust_anchors(detectors.c2pa_trust_anchors),
        )
    except ImgMlError as error:
        print(printable(f"The worker cannot start: {error}"), file=sys.stderr)  # noqa: T201
        raise typer.Exit(2) from None


def _judge(settings: WorkerSettings, detectors: "ImgMlSettings", fusion: "FusionSettings") -> "LiveJudge":
    """The judge that the settings describe; the log says what it works with, and where it answers with a prior."""
    import structlog

    from fusion.artifacts.live import load_live_judge
    from worker.observability.startup import tell_start

    judge = load_live_judge(detectors, fusion)
    tell_start(settings, judge.about)
    if judge.kind == "prior":
        structlog.get_logger("worker").warning(
            "no fusion trained for this profile; answering with the light model and prior weights",
            profile=detectors.profile,
            fingerprint=judge.fingerprint,
        )
    return judge


def _trust_anchors(path: Path | None) -> str | None:
    """The certificates in the file; read here, where a wrong file can still be answered with a sentence."""
    if path is None:
        return None
    from forensics.errors import TrustAnchorsError
    from forensics.provenance.trust import read_trust_anchors
    from worker.errors import StartError

    try:
        return read_trust_anchors(path)
    except TrustAnchorsError as error:
        raise StartError(f"C2PA_TRUST_ANCHORS does not name a file of PEM certificates. {error}") from None


if __name__ == "__main__":
    run_command(app)
