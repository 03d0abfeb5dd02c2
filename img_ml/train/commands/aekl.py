"""`python -m img_ml.train aekl`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.errors import UsageError
from forensics.settings import load as load_settings
from img_ml.detectors.aekl import MULTIPLE, SIDE
from img_ml.settings import ImgMlSettings
from img_ml.train.commands import shared as command

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe
    from img_ml.weights.store import Installed


MOST_SIDE = 512


@command.trains(steps=10_000, batch=32, learning_rate=1e-3, check_every=500)
def aekl(
    autoencoder: Annotated[
        Path | None,
        typer.Option(help="Folder of an AutoencoderKL in the layout of diffusers (default: an installed one)."),
    ] = None,
    side: Annotated[int, typer.Option(help="Side of the crops in pixels, a multiple of 32.")] = SIDE,
    backbone: Annotated[str, typer.Option(help="resnet18 or resnet10t of timm.")] = "resnet18",
) -> "Recipe":
    """Train the classifier over an autoencoder's differences, and install it for the detector `aekl`.

    The autoencoder is not trained: it is the published sd-vae-ft-ema where that is installed, else the one that
    `python -m img_ml.train autoencoder` made. With --autoencoder, the folder's is installed as `autoencoder` first.
    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at.
    """
    return _recipe(autoencoder, backbone, side, load_settings(ImgMlSettings).weights_dir)


def _recipe(given: Path | None, backbone: str, side: int, weights: Path) -> "Recipe":
    from img_ml.detectors.aekl import tensors_sha256
    from img_ml.networks.autoencoders.aekl import BACKBONES, DifferenceClassifier
    from img_ml.networks.autoencoders.latent_diffusion import load_autoencoder
    from img_ml.train.examples import native_crops_of
    from img_ml.train.recipe import Facts, Recipe

    if backbone not in BACKBONES:
        raise UsageError(f"There is no backbone {backbone!r}: choose one of {', '.join(BACKBONES)}.")
    if side % MULTIPLE or not MULTIPLE <= side <= MOST_SIDE:
        raise UsageError(f"--side is {side}: choose a multiple of {MULTIPLE} from {MULTIPLE} to {MOST_SIDE}.")
    found = installed_autoencoder(given, weights)
    name = found.record.name
    facts: Facts = {
        "backbone": backbone,
        "side": side,
        "autoencoder": name,
        "autoencoder_sha256": tensors_sha256(found),
    }
    network = DifferenceClassifier(backbone, load_autoencoder(found.folder, name))
    return Recipe("aekl", network, facts, native_crops_of(side))


def installed_autoencoder(given: Path | None, weights: Path) -> "Installed":
    """The folder's autoencoder, installed as `autoencoder` first, or an installed one, the published one first.

    Raises WeightsError where there is none.
    """
    from forensics.errors import WeightsError
    from img_ml.detectors.aekl import AUTOENCODERS
    from img_ml.train.autoencoders.latent_diffusion import adopt_autoencoder
    from img_ml.weights.store import installed, pull_command, state_of
    from img_ml.weights.table import find

    if given is not None:
        adopt_autoencoder(given, weights)
    here = [name for name in AUTOENCODERS if state_of(find(name), weights) != "missing"]
    if not here:
        ways = " or ".join(pull_command(find(name)) for name in AUTOENCODERS)
        raise WeightsError(f"No autoencoder is installed: {ways}; or name a folder of one with --autoencoder.")
    return installed(find("autoencoder" if given is not None else here[0]), weights)
