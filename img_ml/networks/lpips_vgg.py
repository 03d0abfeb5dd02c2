"""The second layer of LPIPS over VGG-16 (Zhang et al., CVPR 2018), in the layout of the published weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

# The convolutions of torchvision's VGG-16 up to the end of its second block: inputs and outputs by their place.
CONVOLUTIONS: Mapping[int, tuple[int, int]] = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128)}
# A pooling lies before it.
_SECOND_BLOCK = 5
# Their colours from -1 to 1 are normalised by these.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10


class LpipsVgg(nn.Module):
    """Two lists of images n x 3 x H x W in [-1, 1] to their distance (n,), the mean over all places of layer 2.

    `features` is the trunk under torchvision's names, `head` the weight of each of its 128 channels.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict({str(at): nn.Conv2d(*ends, 3, padding=1) for at, ends in CONVOLUTIONS.items()})
        self.head = nn.Conv2d(CONVOLUTIONS[7][1], 1, 1, bias=False)
        self.register_buffer("shift", torch.tensor(_SHIFT).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The distances."""
        return self.distance(self.features_of(first), self.features_of(second))

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """The distances (n,) of features of both."""
        weighed: Tensor = self.head((first - second).square())
        return weighed.float().mean(dim=(1, 2, 3))

    def features_of(self, images: Tensor) -> Tensor:
        """The features of each place, n x 128 x H/2 x W/2, of unit length."""
        found = (images - self.shift) / self.scale
        for at in CONVOLUTIONS:
            if at == _SECOND_BLOCK:
                found = functional.max_pool2d(found, 2)
            found = functional.relu(self.features[str(at)](found))
        length = found.float().square().sum(dim=1, keepdim=True).sqrt()
        return found.float() / (length + _EPSILON)
