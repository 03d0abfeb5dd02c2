"""`python -m img_ml.train saturation_cnn`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.crops import CROP
from forensics.errors import UsageError
from forensics.files import write_atomically
from img_ml.command import talk_console, told_errors
from img_ml.data.dataset import read_dataset
from img_ml.train.commands import shared as command
from img_ml.train.plan import TrainingPlan

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe

# Images on the contact sheet.
_SAMPLES = 12


def saturation_cnn(
    dataset: command.DatasetFile = command.DATASET,
    saturation: Annotated[
        int, typer.Option(help="Saturation factor of the inverted colours: 8 or 500; 0 leaves images as they are.")
    ] = 8,
    compare: Annotated[bool, typer.Option("--compare", help="Train with 0, 8 and 500 and install the best.")] = False,
    side: Annotated[int, typer.Option(help="Side of the crops in pixels (32 for CIFAKE).")] = CROP,
    debug_dir: Annotated[
        Path | None, typer.Option(help="Save a contact sheet of training samples before and after, in this folder.")
    ] = None,
    steps: command.Steps = 20_000,
    batch: command.BatchSize = 32,
    learning_rate: command.LearningRate = 3e-4,
    check_every: command.CheckEvery = 500,
    patience: command.Patience = 8,
    seed: command.Seed = 0,
    threads: command.Threads = None,
    checkpoint: command.Checkpoint = None,
    install: command.Install = True,
) -> None:
    """Train the inverted and saturated CNN, and install it for the detector `saturation_cnn`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at. With --compare, a table of accuracy and AUC on the held-out sources goes to stdout.
    """
    plan = TrainingPlan(
        steps=steps, batch=batch, learning_rate=learning_rate, check_every=check_every, patience=patience, seed=seed
    )
    if debug_dir is not None:
        _save_samples(dataset, side, seed, debug_dir)
    if compare:
        command.run_compared(
            "saturation_cnn", dataset, plan, lambda: _recipes(side, seed), checkpoint, threads, install
        )
    else:
        command.run(
            "saturation_cnn", dataset, plan, lambda: _recipe(saturation, side, seed), checkpoint, threads, install
        )


def _recipes(side: int, seed: int) -> "Mapping[str, Recipe]":
    from img_ml.networks.saturation_cnn import FACTORS

    return {f"saturated {factor}x" if factor else "as it is": _recipe(factor, side, seed) for factor in FACTORS}


def _recipe(factor: int, side: int, seed: int) -> "Recipe":
    import torch

    from img_ml.networks.saturation_cnn import FACTORS, SMALLEST_SIDE, SaturationCNN
    from img_ml.train.examples import native_crops_of
    from img_ml.train.recipe import Recipe

    if factor not in FACTORS:
        raise UsageError(f"--saturation is {factor}: choose one of {', '.join(map(str, FACTORS))}.")
    if not SMALLEST_SIDE <= side <= CROP:
        raise UsageError(f"--side is {side}: choose {SMALLEST_SIDE} to {CROP} pixels.")
    # All begin with the same weights, whatever was drawn before.
    torch.manual_seed(seed)
    facts = {"saturation": factor, "side": side}
    return Recipe("saturation_cnn", SaturationCNN(factor), facts, native_crops_of(side))


def _save_samples(dataset: Path, side: int, seed: int, folder: Path) -> None:
    """Write what the network is shown of some images of both classes, as they are and transformed."""
    talk = talk_console()
    with told_errors(talk):
        from img_ml.train.samples import sample_sheet

        path = folder / "saturation_cnn.samples.png"
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sample_sheet(read_dataset(dataset), _SAMPLES, side, seed))
    talk.print(f"Saved {path}")
