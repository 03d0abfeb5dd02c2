"""What the training commands share: their options, and the run from a dataset to installed weights."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from img_ml.command import told_errors
from img_ml.dataset import DatasetError, Row, read_dataset
from img_ml.settings import ImgMlSettings
from img_ml.train.plan import Plan

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe

DatasetFile = Annotated[Path, typer.Option("--dataset", help="CSV with the columns filepath,label,split (source).")]
Steps = Annotated[int, typer.Option(min=1, help="Most steps of training.")]
BatchSize = Annotated[int, typer.Option("--batch", min=2, help="Images in a step.")]
LearningRate = Annotated[float, typer.Option(min=0, help="Highest learning rate.")]
CheckEvery = Annotated[int, typer.Option(min=1, help="Steps between two looks at the held-out sources.")]
Patience = Annotated[int, typer.Option(min=1, help="Looks without a better AUC before it ends.")]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads that read images; unset: one for each core.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        help="Where the state of the training is kept, and gone on from; unset: trained/NETWORK.checkpoint.safetensors"
    ),
]
DATASET = Path("dataset.csv")


def run(
    network: str,
    dataset: Path,
    plan: Plan,
    recipe: Callable[[], "Recipe"],
    checkpoint: Path | None,
    threads: int | None,
) -> None:
    """Train what `recipe` makes, and say how it went; errors are told, and exit with 2."""
    talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    with told_errors(talk):
        settings = ImgMlSettings()
        rows = _both_classes(read_dataset(dataset))
        from img_ml.device import choose_device
        from img_ml.train.recipe import Place, train

        kept = checkpoint or Path("trained") / f"{network}.checkpoint.safetensors"
        place = Place(settings.weights_dir, kept, choose_device(settings.device), threads or os.cpu_count() or 1)
        done = train(recipe(), rows, plan, place, talk)
    talk.print(
        f"Installed {network} in {settings.weights_dir}: AUC {done.best_auc:.3f} on held-out sources after step "
        f"{done.best_step}."
    )


def _both_classes(rows: Sequence[Row]) -> Sequence[Row]:
    if {row.label for row in rows if row.split != "test"} != {0, 1}:
        raise DatasetError("Training needs images of both labels outside of test.")
    return rows
