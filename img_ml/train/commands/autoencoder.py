"""`python -m img_ml.train autoencoder`."""

from typing import Annotated

import typer

from forensics.crops import CROP
from forensics.errors import UsageError
from img_ml.command import talk_console, told_errors
from img_ml.data.dataset import read_dataset
from img_ml.train.commands import shared as command
from img_ml.train.plan import TrainingPlan

# Every level halves the side.
_MULTIPLE = 8


def autoencoder(
    dataset: command.DatasetFile = command.DATASET,
    side: Annotated[int, typer.Option(help="Side of the crops in pixels, a multiple of 8.")] = 128,
    width: Annotated[int, typer.Option(help="Channels of the first level, a multiple of 8.")] = 32,
    steps: command.Steps = 4000,
    batch: command.BatchSize = 8,
    learning_rate: command.LearningRate = 1e-3,
    check_every: command.CheckEvery = 500,
    seed: command.Seed = 0,
    threads: command.Threads = None,
    checkpoint: command.Checkpoint = None,
    install: command.Install = True,
) -> None:
    """Train a small autoencoder on the real images, for `python -m img_ml.train aekl` where no published one is.

    It is saved in the layout of diffusers among the weights. It is not the autoencoder of any generator, so a small
    reconstruction error of it says nothing about where an image is from; a classifier over its differences may.
    """
    plan = TrainingPlan(
        steps=steps, batch=batch, learning_rate=learning_rate, check_every=check_every, max_validation=200, seed=seed
    )
    talk = talk_console()
    with told_errors(talk):
        if side % _MULTIPLE or not 32 <= side <= CROP:
            raise UsageError(f"--side is {side}: choose a multiple of {_MULTIPLE} from 32 to {CROP}.")
        if width % _MULTIPLE or not _MULTIPLE <= width <= 256:
            raise UsageError(f"--width is {width}: choose a multiple of {_MULTIPLE} from {_MULTIPLE} to 256.")
        rows = read_dataset(dataset)
        from img_ml.train.autoencoders.latent_diffusion import Shape, train_autoencoder

        place = command.place_of("autoencoder", checkpoint, threads, install)
        reached = train_autoencoder(Shape((width, 2 * width, 2 * width), side), rows, plan, place, talk)
    talk.print(
        f"{command.put('autoencoder', place.weights)}: PSNR {reached:.1f} dB on real images of held-out sources."
    )
