"""A baseline: four small layers that see patches of 9 x 9 gradients, and average what they say of all of them.

After the description of Tiny-LaDeDa by Cavia et al., Real-Time Deepfake Detection in the Real-World, arXiv 2406.07398.
"""

from itertools import pairwise

from torch import Tensor, nn

from img_ml.networks.position_logits import PositionLogits, precise

LAYERS = 4
WIDTH = 8
# A difference of neighbours of so many grey levels becomes 1.
_SCALE = 32.0


class LadedaNetwork(PositionLogits):
    """Images n x 3 x H x W in grey levels in, one logit of AI each (n,) out; sides of at least 10 pixels."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(width)
        layers: list[nn.Module] = []
        for before, after in pairwise([3, *[width] * LAYERS]):
            layers += [nn.Conv2d(before, after, 3, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def features(self, pixels: Tensor) -> Tensor:
        """What the layers see of every patch of the gradients along the rows."""
        with precise(pixels):
            pixels = pixels.float()
            gradients = (pixels[..., 1:] - pixels[..., :-1]) / _SCALE
        features: Tensor = self.layers(gradients)
        return features
