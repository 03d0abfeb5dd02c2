"""`python -m img_ml.train crop_network`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from forensics.errors import UsageError
from forensics.settings import load as load_settings
from img_ml.command import talk_console, told_errors
from img_ml.data.dataset import read_datasets
from img_ml.settings import ImgMlSettings
from img_ml.train.commands import shared as command
from img_ml.train.plan import TrainingPlan

Datasets = Annotated[
    list[Path],
    typer.Option("--dataset", help="CSV with filepath,label,split (source, source_image); may be given several times."),
]


def crop_network(
    dataset: Datasets = [command.DATASET],  # noqa: B006 - typer copies it
    network: Annotated[
        str, typer.Option(help="crop_network, or a baseline: ladeda, npr, and as published tiny_ladeda, npr_resnet.")
    ] = "crop_network",
    front: Annotated[str, typer.Option(help="Input channels: rgb, residual (high-pass) or both.")] = "rgb",
    start: Annotated[str, typer.Option(help="Initial weights: imagenet or scratch.")] = "imagenet",
    stages: Annotated[int, typer.Option(help="Stages of EfficientNet-Lite0 to keep, 1 to 7.")] = 5,
    side: Annotated[int, typer.Option(help="Side of the training crops, in pixels.")] = 128,
    members: Annotated[
        int, typer.Option(min=2, max=10, help="Number of members, each of which holds out other sources.")
    ] = 3,
    extra: Annotated[
        Path | None, typer.Option(help="CSV of further AI images from the datasets' sources (reconstructions).")
    ] = None,
    extra_share: Annotated[float, typer.Option(min=0, max=0.9, help="Their share of the images by AI.")] = 0.15,
    steps: Annotated[int, typer.Option(min=1, help="Maximum training steps of each member.")] = 1500,
    minutes: Annotated[
        float,
        typer.Option(
            min=0, help="Time limit of each member in minutes; the result then depends on the machine. 0: no limit."
        ),
    ] = 0.0,
    batch: command.BatchSize = 48,
    learning_rate: command.LearningRate = 1e-3,
    check_every: command.CheckEvery = 250,
    patience: command.Patience = 8,
    seed: command.Seed = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of members trained in parallel; unset: one per core.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads per member that make crops.")] = 1,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder for the checkpoint; unset: trained/NETWORK.")] = None,
    pixels: Annotated[
        Path | None, typer.Option(help="Folder that keeps the decoded images; unset: beside the state, until the end.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Weights folder to install into (default: IMG_ML_WEIGHTS_DIR).")
    ] = None,
    install: command.Install = True,
) -> None:
    """Train the network of the detector `crop_network`: several members, each of which holds out other sources.

    They learn from train and val alike; a member is validated on the sources that it holds out, and the fusion
    takes its number for these. The test split is not looked at. Of images that several datasets hold, those of
    the first are taken. The same seed, steps, images and libraries give the same weights on one kind of CPU.
    """
    talk = talk_console()
    with told_errors(talk):
        from img_ml.train.crossfit.crossfit import crossfit, install_crossfit
        from img_ml.train.crossfit.members import CrossfitWorkspace
        from img_ml.train.crossfit.rows import read_extra
        from img_ml.train.crossfit.small_networks import design_of

        design = design_of(network, front, start, stages, side)
        settings = load_settings(ImgMlSettings)
        if out is None and design.name != "crop_network":
            raise UsageError(f"No detector loads {design.name}: name a folder for its weights with --out.")
        plan = _plan(steps, minutes, batch, learning_rate, check_every, patience, seed)
        rows, more = read_datasets(dataset), read_extra(extra) if extra else []
        folder = checkpoint or Path("trained") / design.name
        place = CrossfitWorkspace(folder, _device(settings), jobs or os.cpu_count() or 1, threads)
        folds, trained = crossfit(design, plan, rows, (more, extra_share), members, pixels or folder, place, talk)
        weights = out or command.weights_folder(install)
        locked = install_crossfit(design, plan, folds, trained, weights, folder)
        if pixels is None:
            for file in folder.glob("*.pixels*"):
                file.unlink()
    size = sum(file.size for file in locked.files.values())
    aucs = ", ".join(f"{one.progress.best_auc:.3f}" for one in trained)
    talk.print(f"{command.put(design.name, weights)}, {size / 1e6:.1f} MB: AUC {aucs} on the sources held out.")


def _plan(
    steps: int, minutes: float, batch: int, learning_rate: float, check_every: int, patience: int, seed: int
) -> TrainingPlan:
    return TrainingPlan(
        steps=steps,
        minutes=minutes,
        batch=batch,
        learning_rate=learning_rate,
        check_every=check_every,
        patience=patience,
        seed=seed,
        warmup_steps=min(100, steps),
        average=0.998,
        smoothing=0.05,
        channels_last=True,
    )


def _device(settings: ImgMlSettings) -> str:
    from img_ml.engine.device import choose_device

    return choose_device(settings.device)
