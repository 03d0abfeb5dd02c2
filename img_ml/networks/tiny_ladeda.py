"""Tiny-LaDeDa as published: 1,297 parameters over the diagonal gradients of a picture, in the authors' layout.

Cavia et al., Real-Time Deepfake Detection in the Real-World, arXiv 2406.07398;
https://github.com/barcavia/RealTime-DeepfakeDetection-in-the-RealWorld.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.position_logits import PositionLogits, normalised, precise

WIDTH = 8
# The gradient along the other diagonal than that of reading, which the authors train on and release.
_GRADIENT = ((-2.0, -1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, 1.0, 2.0))


class TinyLadeda(PositionLogits):
    """Images n x 3 x H x W in grey levels in, one logit of AI each (n,) out; the authors' probability is its sigmoid.

    Layers of 1 x 1, 3 x 3, 1 x 1 and 3 x 3 with stride 2, all of 8 channels, none padded but the gradient.
    """

    gradient: Tensor

    def __init__(self) -> None:
        super().__init__(WIDTH)
        self.register_buffer("gradient", torch.tensor(_GRADIENT).expand(3, 1, 3, 3).clone(), persistent=False)
        self.conv1 = nn.Conv2d(3, WIDTH, 1, bias=False)
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH, momentum=0.001)
        block = OrderedDict(
            conv1=nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
            bn1=nn.BatchNorm2d(WIDTH),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(WIDTH, WIDTH, 3, 2, bias=False),
            bn2=nn.BatchNorm2d(WIDTH),
            relu2=nn.ReLU(),
        )
        self.layer1 = nn.Sequential(nn.Sequential(block))

    def features(self, pixels: Tensor) -> Tensor:
        """What the last layer sees of every patch of the gradients."""
        with precise(pixels):
            gradients = functional.conv2d(normalised(pixels), self.gradient, padding=1, groups=3)
        features: Tensor = self.layer1(functional.relu(self.bn1(self.conv2(self.conv1(gradients)))))
        return features


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the authors' checkpoint under this network's names: their `fc` (or NPR's `fc1`) is the head."""
    heads = ("fc.", "fc1.")
    found = {}
    for name, value in state.items():
        head = next((one for one in heads if name.startswith(one)), "")
        found["head." + name.removeprefix(head) if head else name] = value
    return found
