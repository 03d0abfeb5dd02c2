"""What the training commands share: their options, and the run from a dataset to installed weights."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from forensics.errors import DatasetError
from forensics.settings import load as load_settings
from img_ml.command import data_console, talk_console, told_errors
from img_ml.data.dataset import Row, read_dataset
from img_ml.settings import ImgMlSettings
from img_ml.train.plan import TrainingPlan

if TYPE_CHECKING:
    from img_ml.train.checkpoint import TrainingProgress
    from img_ml.train.recipe import Recipe, TrainingWorkspace

DatasetFile = Annotated[Path, typer.Option("--dataset", help="CSV with the columns filepath,label,split (source).")]
Steps = Annotated[int, typer.Option(min=1, help="Maximum training steps.")]
BatchSize = Annotated[int, typer.Option("--batch", min=2, help="Batch size.")]
LearningRate = Annotated[float, typer.Option(min=0, help="Highest learning rate.")]
CheckEvery = Annotated[int, typer.Option(min=1, help="Steps between checks on the held-out sources.")]
Patience = Annotated[int, typer.Option(min=1, help="Checks without improvement before early stopping.")]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads that read images; unset: one per core.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="Checkpoint to write and resume from; unset: trained/NETWORK.checkpoint.safetensors"),
]
DATASET = Path("dataset.csv")
# Where --no-install leaves the result: a weights folder too, so that IMG_ML_WEIGHTS_DIR may name it.
ASIDE = Path("trained") / "weights"
Install = Annotated[
    bool, typer.Option("--install/--no-install", help=f"Install the result, or leave it in the weights folder {ASIDE}.")
]


def trains(
    *, steps: int, batch: int, learning_rate: float, check_every: int
) -> Callable[[Callable[..., "Recipe"]], Callable[..., None]]:
    """Make a command of the function that builds a network's recipe: its options, then those that all trainings have.

    The recipe is built once the dataset was read; the command has the function's name and docstring.
    """
    shared = {
        "steps": (Steps, steps),
        "batch": (BatchSize, batch),
        "learning_rate": (LearningRate, learning_rate),
        "check_every": (CheckEvery, check_every),
        "patience": (Patience, 8),
        "seed": (Seed, 0),
        "threads": (Threads, None),
        "checkpoint": (Checkpoint, None),
        "install": (Install, True),
    }

    def decorate(recipe: Callable[..., "Recipe"]) -> Callable[..., None]:
        own = inspect.signature(recipe).parameters

        def command(dataset: Path, **options: Any) -> None:
            chosen = {name: options.pop(name) for name in own}
            place = [options.pop(name) for name in ("checkpoint", "threads", "install")]
            run(recipe.__name__, dataset, TrainingPlan(**options), lambda: recipe(**chosen), *place)

        kinds = {"dataset": (DatasetFile, DATASET), **{n: (p.annotation, p.default) for n, p in own.items()}, **shared}
        command.__name__, command.__doc__ = recipe.__name__, recipe.__doc__
        command.__annotations__ = {name: kind for name, (kind, _) in kinds.items()}
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
                for name, (kind, default) in kinds.items()
            ]
        )
        return command

    return decorate


def run(
    network: str,
    dataset: Path,
    plan: TrainingPlan,
    recipe: Callable[[], "Recipe"],
    checkpoint: Path | None,
    threads: int | None,
    install: bool,
) -> None:
    """Train what `recipe` makes, and say how it went; errors are told, and exit with 2."""
    talk = talk_console()
    with told_errors(talk):
        rows = _both_classes(read_dataset(dataset))
        from img_ml.train.recipe import train

        place = place_of(network, checkpoint, threads, install)
        done = train(recipe(), rows, plan, place, talk)
    say_installed(talk, network, place, done)


def weights_folder(install: bool) -> Path:
    """Where the result of a training belongs."""
    return load_settings(ImgMlSettings).weights_dir if install else ASIDE


def place_of(network: str, checkpoint: Path | None, threads: int | None, install: bool) -> "TrainingWorkspace":
    """Where a training of that network runs and writes, as settings and options say."""
    from img_ml.engine.device import choose_device
    from img_ml.train.recipe import TrainingWorkspace

    settings = load_settings(ImgMlSettings)
    kept = checkpoint or Path("trained") / f"{network}.checkpoint.safetensors"
    device = choose_device(settings.device)
    return TrainingWorkspace(weights_folder(install), kept, device, threads or os.cpu_count() or 1)


def say_installed(talk: Console, network: str, place: "TrainingWorkspace", done: "TrainingProgress") -> None:
    """Tell what now lies among the weights, and how good it was."""
    talk.print(
        f"{put(network, place.weights)}: AUC {done.best_auc:.3f} on held-out sources after step {done.best_step}."
    )


def put(network: str, weights: Path) -> str:
    """The beginning of the sentence that tells where the result lies."""
    return f"Wrote {network} to {weights}, not installed" if weights == ASIDE else f"Installed {network} in {weights}"


def run_compared(
    network: str,
    dataset: Path,
    plan: TrainingPlan,
    recipes: Callable[[], "Mapping[str, Recipe]"],
    checkpoint: Path | None,
    threads: int | None,
    install: bool,
) -> None:
    """Train several recipes of one network on the same images with the same seed, and print them in one table.

    The one with the highest AUC on the held-out sources is installed.
    """
    talk = talk_console()
    with told_errors(talk):
        rows = _both_classes(read_dataset(dataset))
        from img_ml.train.compare import best_of, compare, comparison

        place = place_of(network, checkpoint, threads, install)
        progress = compare(recipes(), rows, plan, place, talk)
    data_console().print(comparison(progress))
    best = best_of(progress)
    talk.print(f"Of these, {best!r} is taken.")
    say_installed(talk, network, place, progress[best])


def _both_classes(rows: Sequence[Row]) -> Sequence[Row]:
    if {row.label for row in rows if row.split != "test"} != {0, 1}:
        raise DatasetError("Training needs images of both labels outside the test split.")
    return rows
