"""A classifier of latent images: the encoder of an autoencoder, fine-tuned, and three linear layers over its latent.

After the contest entry https://github.com/Kahsolt/AIGC-clf (`aekl_clf`): encoder, quant_conv, the mode of the
distribution, flattened, 256, 128 and 2 values with SiLU between.
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

# The entry's side of the images, and the values after either layer.
SIDE = 256
WIDTHS = (256, 128)
# The order of the entry's outputs.
CLASSES = ("AI", "real")


class LatentClassifier(nn.Module):
    """Images n x 3 x side x side in grey levels in, one logit of AI each (n,) out."""

    def __init__(self, autoencoder: "AutoencoderKL", side: int = SIDE) -> None:
        super().__init__()
        self.encoder, self.quant_conv = autoencoder.encoder, autoencoder.quant_conv
        config = autoencoder.config
        places = (side // 2 ** (len(config["block_out_channels"]) - 1)) ** 2
        first, second = WIDTHS
        self.clf = nn.Sequential(
            nn.Linear(config["latent_channels"] * places, first),
            nn.SiLU(),
            nn.Linear(first, second),
            nn.SiLU(),
            nn.Linear(second, len(CLASSES)),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """The evidence for AI minus that for real."""
        logits = self.logits(pixels / 255)
        return logits[:, 0] - logits[:, 1]

    def logits(self, images: Tensor) -> Tensor:
        """Logits (n, 2) of images in [0, 1]; not in [-1, 1], as the autoencoder itself takes them."""
        logits: Tensor = self.clf(self.latent(images).flatten(1))
        return logits

    def latent(self, images: Tensor) -> Tensor:
        """The mode of the latent image's distribution, n x channels x rows x columns."""
        moments = self.encoder(images)
        if self.quant_conv is not None:
            moments = self.quant_conv(moments)
        # The mode of a Gaussian is its mean, the first half of the channels.
        latent: Tensor = moments.chunk(2, dim=1)[0]
        return latent


def of_architecture(architecture: dict[str, object], side: int) -> LatentClassifier:
    """The classifier over an autoencoder of that configuration (diffusers), with random weights.

    Raises ValueError where diffusers knows no such configuration.
    """
    from diffusers import AutoencoderKL

    try:
        return LatentClassifier(AutoencoderKL(**architecture), side)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"its autoencoder cannot be built: {error}") from error
