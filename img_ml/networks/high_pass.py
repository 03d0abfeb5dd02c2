"""High-pass channels of an image: what is left of it behind a blur, the SRM filters, and filters that are learned."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.srm import srm_filters

# Filters over the three colours whose weights are learned, each of which sums to zero.
LEARNED_FILTERS = 4
# The blur's residual of three colours, three SRM residuals of each, and the learned ones.
CHANNELS = 3 + 9 + LEARNED_FILTERS
# Residuals beyond it are edges of the picture, not noise (grey levels).
TRUNCATION = 8.0


class HighPass(nn.Module):
    """Images n x 3 x H x W in grey levels in, residuals n x CHANNELS x H x W in [-1, 1] out.

    Bayar and Stamm, A Deep Learning Approach to Universal Image Manipulation Detection Using a New Convolutional
    Layer, 2016, is where filters that may learn anything but the picture itself come from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.learned = nn.Parameter(torch.randn(LEARNED_FILTERS, 3, 5, 5) / 5)
        blur = torch.zeros(3, 3, 5, 5)
        for colour in range(3):
            blur[colour, colour, 1:4, 1:4] = -1 / 9
            blur[colour, colour, 2, 2] += 1
        fixed = torch.cat([blur, torch.from_numpy(srm_filters()).float()])
        self.register_buffer("fixed", fixed, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The residuals; beyond the edges the image goes on as its last pixels."""
        zero_sum = self.learned - self.learned.mean(dim=(1, 2, 3), keepdim=True)
        filters = torch.cat([self.get_buffer("fixed"), zero_sum])
        residuals = functional.conv2d(functional.pad(pixels, (2, 2, 2, 2), mode="replicate"), filters)
        return residuals.clamp(-TRUNCATION, TRUNCATION) / TRUNCATION
