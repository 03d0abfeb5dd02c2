"""A small network over images whose colours were inverted and then saturated far beyond what a picture holds.

The layers, their names and their order are those of the published FakeDetectorCNN, so that a state dict of it loads;
only its Sigmoid, which has no weights, is left to the loss and to the detector.
"""

import torch
from torch import Tensor, nn

# The factors that the published network was trained with; 0 shows it the image as it is.
FACTORS = (0, 8, 500)
LEVELS = 255
# Below it the poolings leave nothing.
SMALLEST_SIDE = 32
# Pillow's luma in fixed point: the shares of red, green and blue in 2^-16.
_LUMA = (19595.0, 38470.0, 7471.0)
_ONE = float(1 << 16)


class SaturationCNN(nn.Module):
    """Images n x 3 x H x W in grey levels (0 to 255) in, one logit of AI each (n,) out; sides from 32 px up.

    `factor` is how far colours are saturated after they were inverted; 0 leaves the images as they are.
    """

    def __init__(self, factor: int = FACTORS[0]) -> None:
        super().__init__()
        self._factor = factor
        self.conv = nn.Sequential(
            *_layer(3, 32, 3, stride=2, padding=3),
            nn.MaxPool2d(3, stride=2, padding=1),
            *_layer(32, 64, 5, padding=2),
            nn.MaxPool2d(3, stride=2, padding=1),
            *_layer(64, 128, 3, padding=1),
            nn.MaxPool2d(2, stride=2),
            *_layer(128, 256, 3, padding=1),
            nn.MaxPool2d(2, stride=2),
            *_layer(256, 512, 3, padding=1),
            nn.AdaptiveAvgPool2d((1, 1)),
        )
        self.fc = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512, 1024),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(1024, 256),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(256, 1),
        )
        self.apply(_begin)

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits."""
        # Sums of luma reach 2^24: half precision would turn them into noise, which the factor then multiplies.
        with torch.autocast(pixels.device.type, enabled=False):
            shown = saturated(pixels.float(), self._factor) if self._factor else pixels.float()
        logits: Tensor = self.fc(self.conv(shown / LEVELS))
        return logits[:, 0]


def saturated(pixels: Tensor, factor: float) -> Tensor:
    """Images n x 3 x H x W of whole grey levels, inverted and saturated: `factor` times as far from their own grey.

    The same values as ImageOps.invert and then ImageEnhance.Color(factor) of Pillow give.
    """
    inverted = LEVELS - pixels
    luma = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    # Half a level is added before the fraction is cut off. All sums stay below 2^24, where float32 is exact.
    grey = torch.floor(((inverted * luma).sum(dim=1, keepdim=True) + _ONE / 2) / _ONE)
    return torch.floor((grey + factor * (inverted - grey)).clamp(0, LEVELS))


def _begin(module: nn.Module) -> None:
    """He's initialisation, which keeps the size of values from layer to layer; there is no normalisation to do it."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)


def _layer(before: int, after: int, kernel: int, *, stride: int = 1, padding: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, after, kernel, stride=stride, padding=padding), nn.ReLU()
