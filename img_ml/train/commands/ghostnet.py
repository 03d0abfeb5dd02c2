"""`python -m img_ml.train ghostnet`."""

from typing import TYPE_CHECKING, Annotated

import typer

from forensics.errors import UsageError
from img_ml.train.commands import shared as command

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe


@command.trains(steps=20_000, batch=64, learning_rate=1e-3, check_every=500)
def ghostnet(
    backbone: Annotated[str, typer.Option(help="ghostnet_100, ghostnet_050 or ghostnet_130 of timm.")] = "ghostnet_100",
) -> "Recipe":
    """Train GhostNet on noise residuals, and install it for the detector `ghostnet`.

    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at. A fusion should be trained on other images than the networks it weighs.
    """
    from img_ml.networks.ghostnet import BACKBONES, ResidualGhostNet
    from img_ml.train.recipe import Recipe

    if backbone not in BACKBONES:
        raise UsageError(f"There is no backbone {backbone!r}: choose one of {', '.join(BACKBONES)}.")
    return Recipe("ghostnet", ResidualGhostNet(backbone), {"backbone": backbone})
