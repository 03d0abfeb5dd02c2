"""The forgery-aware adapter: what local detail and the wavelet bands of the patches add to a block's output."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from img_ml.networks.fatformer.attention import Attention
from img_ml.networks.fatformer.wavelet import Analysis, Synthesis

_HEADS = 8
_GROUPS = 128
# The share of the image branch in the sum; fixed, where the share of the frequency branch was learned.
_IMAGE_SCALE = 0.1


class ForgeryAwareAdapter(nn.Module):
    """Tokens (n, 1 + side * side, width), the class token first, to what is added to them, of the same shape."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.first_conv_layer = nn.Conv1d(width, bottleneck, 1)
        self.second_conv_layer = nn.Conv1d(bottleneck, width, 1)
        self.freq_scale = nn.Parameter(torch.zeros(1))
        self.dwt_transform = Analysis()
        self.idwt_transform = Synthesis()
        self.dwt_norm = nn.GroupNorm(_GROUPS, width)
        self.intra_band = Attention(width, _HEADS)
        self.norm_intra = nn.LayerNorm(width)
        self.inter_band = Attention(width, _HEADS)
        self.norm_inter = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """The sum of both branches; the class token has no place in the image, so only the image branch adds to it."""
        frequency = self.idwt_transform(self.refined(self._bands(tokens[:, 1:])))
        return self._image_branch(tokens) + functional.pad(frequency * self.freq_scale, (0, 0, 1, 0))

    def refined(self, bands: Tensor) -> Tensor:
        """The bands (n, 4, places, width) after attention between them and inside of them.

        The names of the two attentions are the checkpoint's: its `intra_band` looks from band to band at one place,
        its `inter_band` from place to place inside one band.
        """
        across = bands.transpose(1, 2).flatten(0, 1)
        across = self.intra_band(across, across).unflatten(0, (len(bands), -1)).transpose(1, 2)
        bands = self.norm_intra(bands + across)
        within = bands.flatten(0, 1)
        bands = self.norm_inter(bands + self.inter_band(within, within).unflatten(0, (len(bands), -1)))
        result: Tensor = self.norm3(bands + self.linear2(functional.relu(self.linear1(bands))))
        return result

    def _bands(self, patches: Tensor) -> Tensor:
        normalised: Tensor = self.dwt_norm(self.dwt_transform(patches).permute(0, 3, 1, 2))
        return normalised.permute(0, 2, 3, 1)

    def _image_branch(self, tokens: Tensor) -> Tensor:
        narrow = functional.relu(_pointwise(self.first_conv_layer, tokens))
        return _pointwise(self.second_conv_layer, narrow) * _IMAGE_SCALE


def _pointwise(layer: nn.Conv1d, tokens: Tensor) -> Tensor:
    """A convolution over single tokens is a linear map; this one needs no transposed copy of them."""
    return functional.linear(tokens, layer.weight.squeeze(-1), layer.bias)
