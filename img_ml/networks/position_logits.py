"""What the small networks share: a linear layer over the mean of all places, so that each place has a logit, too."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# Mean and deviation of its colours.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class PositionLogits(nn.Module):
    """Images n x 3 x H x W in grey levels (0 to 255) in, one logit of AI each (n,) out.

    What inherits from it gives the features n x `channels` x h x w.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, pixels: Tensor) -> Tensor:
        """What the linear layer sees of every place."""
        raise NotImplementedError

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.head(self.dropout(self.features(pixels).mean(dim=(2, 3))))[:, 0]
        return logits

    def maps(self, pixels: Tensor) -> Tensor:
        """The logit of every place n x h x w, without dropout; an image's own logit is their mean."""
        logits = functional.conv2d(self.features(pixels), self.head.weight[:, :, None, None], self.head.bias)
        return logits[:, 0]


def precise(pixels: Tensor) -> torch.autocast:
    """A context without half precision, which would round away the differences of neighbouring grey levels."""
    return torch.autocast(pixels.device.type, enabled=False)


def normalised(pixels: Tensor) -> Tensor:
    """Grey levels by ImageNet's mean and deviation, as published networks take them."""
    mean, deviation = (pixels.new_tensor(values, dtype=torch.float32).reshape(3, 1, 1) for values in _IMAGENET)
    return (pixels.float() / 255 - mean) / deviation
