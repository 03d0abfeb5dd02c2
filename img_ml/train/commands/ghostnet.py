"""`python -m img_ml.train ghostnet`."""

from typing import TYPE_CHECKING, Annotated

import typer

from forensics.errors import UsageError
from img_ml.train.commands import shared as command
from img_ml.train.plan import TrainingPlan

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe


def ghostnet(
    dataset: command.DatasetFile = command.DATASET,
    backbone: Annotated[str, typer.Option(help="ghostnet_100, ghostnet_050 or ghostnet_130 of timm.")] = "ghostnet_100",
    steps: command.Steps = 20_000,
    batch: command.BatchSize = 64,
    learning_rate: command.LearningRate = 1e-3,
    check_every: command.CheckEvery = 500,
    patience: command.Patience = 8,
    seed: command.Seed = 0,
    threads: command.Threads = None,
    checkpoint: command.Checkpoint = None,
) -> None:
    """Train GhostNet on noise residuals, and install it for the detector `ghostnet`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at. A fusion should be trained on other images than the networks it weighs.
    """

    def recipe() -> "Recipe":
        from img_ml.networks.ghostnet import BACKBONES, ResidualGhostNet
        from img_ml.train.recipe import Recipe

        if backbone not in BACKBONES:
            raise UsageError(f"There is no backbone {backbone!r}: choose one of {', '.join(BACKBONES)}.")
        return Recipe("ghostnet", ResidualGhostNet(backbone), {"backbone": backbone})

    plan = TrainingPlan(
        steps=steps, batch=batch, learning_rate=learning_rate, check_every=check_every, patience=patience, seed=seed
    )
    command.run("ghostnet", dataset, plan, recipe, checkpoint, threads)
