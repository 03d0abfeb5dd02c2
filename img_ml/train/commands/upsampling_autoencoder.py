"""`python -m img_ml.train upsampling_autoencoder`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.errors import UsageError
from forensics.settings import load as load_settings
from img_ml.command import talk_console, told_errors
from img_ml.data.dataset import read_rows
from img_ml.train.commands import shared as command
from img_ml.train.plan import TrainingPlan

if TYPE_CHECKING:
    from img_ml.networks.autoencoders.upsampling import Upsampling


class Kind(StrEnum):
    """How the decoder doubles a side; `vq` is nearest neighbours behind a bottleneck of codebooks."""

    nearest = "nearest"
    transposed = "transposed"
    shuffle = "shuffle"
    bilinear = "bilinear"
    vq = "vq"


_UPSAMPLING: dict[Kind, "Upsampling"] = {
    Kind.nearest: "nearest",
    Kind.transposed: "transposed",
    Kind.shuffle: "shuffle",
    Kind.bilinear: "bilinear",
    Kind.vq: "nearest",
}
# Channels of the bottleneck: generous, for the trace of the upsampling is wanted and not that of a compression.
_LATENTS = {4: 32, 8: 96}


def upsampling_autoencoder(
    dataset: Annotated[
        list[Path] | None, typer.Option(help="CSV with the columns filepath,label,split,source; repeatable.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="How its decoder upsamples.")] = Kind.nearest,
    factor: Annotated[int, typer.Option(help="Downsampling factor: 4 or 8.")] = 4,
    adversarial: Annotated[bool, typer.Option(help="Train against a discriminator of small patches too.")] = False,
    out: Annotated[Path, typer.Option(help="The autoencoder gets a folder of its own in this one.")] = Path(
        "trained/autoencoders"
    ),
    begin_with: Annotated[
        Path | None,
        typer.Option(help="Folder of an autoencoder from which layers of the same shape are initialised."),
    ] = None,
    latents: Annotated[int | None, typer.Option(min=4, help="Channels of the bottleneck; unset: 32 or 96.")] = None,
    width: Annotated[int, typer.Option(min=8, max=128, help="Channels of the finest level.")] = 32,
    side: Annotated[int, typer.Option(min=32, max=256, help="Side of the patches in pixels.")] = 64,
    steps: command.Steps = 1800,
    batch: command.BatchSize = 16,
    learning_rate: command.LearningRate = 2e-3,
    check_every: command.CheckEvery = 300,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Train in bfloat16, twice as fast on processors that support it.")
    ] = False,
    seed: command.Seed = 0,
    threads: command.Threads = None,
) -> None:
    """Train a small, sharp autoencoder on real images of train, for `python -m scripts.make_reconstructions`.

    It takes minutes on one core. An interrupted training goes on; one that is done is not done again.
    """
    plan = TrainingPlan(
        steps=steps, batch=batch, learning_rate=learning_rate, check_every=check_every, max_validation=200, seed=seed
    )
    talk = talk_console()
    with told_errors(talk):
        if factor not in _LATENTS or side % factor:
            raise UsageError(f"--factor is {factor} and --side {side}: choose 4 or 8, and a multiple of it as side.")
        if kind is Kind.vq and (latents or 0) % 4:
            raise UsageError(f"--latents is {latents}: kind vq divides them into 4 groups, choose a multiple of 4.")
        rows = [row for path in dataset or [command.DATASET] for row in read_rows(path)]
        from img_ml.engine.device import choose_device
        from img_ml.networks.autoencoders.upsampling import AutoencoderDesign
        from img_ml.settings import ImgMlSettings
        from img_ml.train.autoencoders.upsampling import AutoencoderWorkspace, train_upsampling_autoencoder

        design = AutoencoderDesign(
            upsampling=_UPSAMPLING[kind],
            bottleneck="vq" if kind is Kind.vq else "noise",
            factor=factor,
            width=width,
            latents=latents or _LATENTS[factor],
            groups=(latents or _LATENTS[factor]) // 4,
            adversarial=adversarial,
        )
        folder = out / design.name
        device = choose_device(load_settings(ImgMlSettings).device)
        place = AutoencoderWorkspace(
            folder, folder / "checkpoint.safetensors", device, threads or os.cpu_count() or 1, begin_with, bfloat16
        )
        reached = train_upsampling_autoencoder(design, rows, plan, side, place, talk)
    talk.print(f"Saved {folder}: PSNR {reached:.1f} dB on real images of held-out sources.")
