"""`python -m img_ml.train fatformer`."""

from typing import TYPE_CHECKING

from img_ml.command import talk_console
from img_ml.train.commands import shared as command

if TYPE_CHECKING:
    from img_ml.train.recipe import Recipe


@command.trains(steps=5_000, batch=16, learning_rate=4e-4, check_every=250)
def fatformer() -> "Recipe":
    """Train the installed FatFormer on more generators: CLIP stays frozen, adapters and prompts learn.

    It starts from the weights that `python -m img_ml.weights pull fatformer --from FILE` installed and replaces them.
    It learns from train and val; a fifth of their sources is held out and decides when to stop. The test split is not
    looked at. A fusion should be trained on other images than the networks it weighs.
    """
    from forensics.settings import load
    from img_ml.settings import ImgMlSettings
    from img_ml.train import fatformer as training

    made = training.recipe(load(ImgMlSettings).weights_dir)
    learned, total = training.counts(made.network)
    talk_console().print(f"{learned / 1e6:.1f} of {total / 1e6:.1f} million parameters learn.")
    return made
