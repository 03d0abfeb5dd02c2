"""`python -m img_ml.train resnet_ft` and `resnet_hf`: one network, shown the picture or its high frequencies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.errors import UsageError
from forensics.settings import load as load_settings
from img_ml.command import talk_console
from img_ml.settings import ImgMlSettings
from img_ml.train.commands import shared as command

if TYPE_CHECKING:
    from img_ml.networks.resnet import ResNet18, Sees
    from img_ml.train.recipe import Recipe

AUTO, SCRATCH = "auto", "scratch"
# Published ResNet-18 that a training may start from; auto takes the first one that is installed.
STARTS = ("ai_art_resnet", "resnet-18")
_FULL_WIDTH = 64

Start = Annotated[
    str,
    typer.Option(
        help=f"Weights to start from: {', '.join(STARTS)}, {SCRATCH}, or {AUTO}: the first that is installed, "
        "else from scratch."
    ),
]
Width = Annotated[
    int, typer.Option(min=1, help="Channels of the first layer; those of the published networks need 64.")
]


@command.trains(steps=10_000, batch=32, learning_rate=3e-4, check_every=250)
def resnet_ft(
    start: Start = AUTO,
    width: Width = _FULL_WIDTH,
) -> "Recipe":
    """Fine-tune ResNet-18 on whole pictures of 224 pixels, and install it for the detector `resnet_ft`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at.
    """
    from img_ml.detectors.resnet_ft import SIDE
    from img_ml.train.examples import resized_to
    from img_ml.train.recipe import Recipe

    network, began = _network("picture", start, width)
    return Recipe("resnet_ft", network, {"width": width, "start": began}, resized_to(SIDE))


@command.trains(steps=20_000, batch=64, learning_rate=1e-3, check_every=500)
def resnet_hf(
    start: Start = AUTO,
    width: Width = _FULL_WIDTH,
) -> "Recipe":
    """Train ResNet-18 on high frequencies of native crops of 80 pixels, and install it for the detector `resnet_hf`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at.
    """
    from img_ml.data.high_frequencies import VERSION
    from img_ml.detectors.resnet_hf import SIDE
    from img_ml.train.examples import high_frequencies_of
    from img_ml.train.recipe import Facts, Recipe

    network, began = _network("high_pass", start, width)
    config: Facts = {"width": width, "start": began, "high_frequencies": VERSION}
    return Recipe("resnet_hf", network, config, high_frequencies_of(SIDE))


def _network(sees: "Sees", start: str, width: int) -> tuple["ResNet18", str]:
    """The network to train, and what it starts from."""
    from img_ml.networks.resnet import ResNet18

    if start not in (AUTO, SCRATCH, *STARTS):
        raise UsageError(f"There is no start {start!r}: choose {AUTO}, {SCRATCH}, {' or '.join(STARTS)}.")
    network = ResNet18(sees, width)
    weights = load_settings(ImgMlSettings).weights_dir
    began = _installed(weights) if start == AUTO and width == _FULL_WIDTH else SCRATCH if start == AUTO else start
    talk = talk_console()
    if began == SCRATCH:
        pulled = " or ".join(f"python -m img_ml.weights pull {name}" for name in STARTS)
        hint = f"; to start from published weights: {pulled}" if start == AUTO and width == _FULL_WIDTH else ""
        talk.print(f"Training from scratch, at width {width}{hint}.")
        return network, began
    _take_over(network, began, weights)
    talk.print(f"Starting from {began}.")
    return network, began


def _installed(weights: Path) -> str:
    from img_ml.weights.store import state_of
    from img_ml.weights.table import find

    return next((name for name in STARTS if state_of(find(name), weights) == "present"), SCRATCH)


def _take_over(network: "ResNet18", name: str, weights: Path) -> None:
    from img_ml.weights.loading import tensors_of
    from img_ml.weights.store import installed
    from img_ml.weights.table import find

    published = installed(find(name), weights)
    try:
        network.start_from(tensors_of(published.file("model.safetensors"), name))
    except ValueError as error:
        raise UsageError(
            f"Training cannot start from {name}: {str(error).strip()}. Use --width 64 or --start scratch."
        ) from error
