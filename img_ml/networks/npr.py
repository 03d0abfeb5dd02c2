"""A baseline: a small residual network over what nearest down- and upsampling leaves of a picture.

After the description by Tan et al., Rethinking the Up-Sampling Operations in CNN-Based Generative Network for
Generalizable Deepfake Detection, CVPR 2024: neighbouring pixel relationships, and the first two stages of a ResNet-50,
here narrower, so that it trains on a CPU.
"""

from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.position_logits import PositionLogits, precise

WIDTH = 32
# Blocks of the two stages, and by how much a block's output is wider than its middle.
_BLOCKS = (3, 4)
_EXPANSION = 4
# A difference of so many grey levels becomes 1.
_SCALE = 32.0


class NprNetwork(PositionLogits):
    """Images n x 3 x H x W in grey levels in, one logit of AI each (n,) out."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(2 * width * _EXPANSION)
        layers: list[nn.Module] = [*_convolution(3, width, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        channels = width
        for stage, count in enumerate(_BLOCKS):
            for block in range(count):
                stride = 2 if stage and not block else 1
                layers.append(_Bottleneck(channels, width * 2**stage, stride))
                channels = width * 2**stage * _EXPANSION
        self.layers = nn.Sequential(*layers)

    def features(self, pixels: Tensor) -> Tensor:
        """What the two stages see of every place."""
        with precise(pixels):
            relations = neighbouring_relations(pixels.float()) / _SCALE
        features: Tensor = self.layers(relations)
        return features


def neighbouring_relations(pixels: Tensor) -> Tensor:
    """Every pixel minus the upper left one of its square of two by two; of the shape n x 3 x H x W of the images."""
    upper_left = functional.interpolate(pixels[..., ::2, ::2], scale_factor=2.0, mode="nearest")
    return pixels - upper_left[..., : pixels.shape[2], : pixels.shape[3]]


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        last = width * _EXPANSION
        self.path = nn.Sequential(
            *_convolution(channels, width, 1),
            nn.ReLU(),
            *_convolution(width, width, 3, stride),
            nn.ReLU(),
            *_convolution(width, last, 1),
        )
        same = channels == last and stride == 1
        self.beside = nn.Identity() if same else nn.Sequential(*_convolution(channels, last, 1, stride))

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.path(features) + self.beside(features))


def _convolution(before: int, after: int, size: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after)
