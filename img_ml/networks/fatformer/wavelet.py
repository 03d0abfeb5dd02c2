"""One level of the two-dimensional Haar transform of a square of tokens, and back."""

import math

import torch
from torch import Tensor, nn

_S = math.sqrt(0.5)
# Low and high pass, the same for both directions: Haar's transform is its own transpose.
_TAPS = ((_S, _S), (_S, -_S))


class Analysis(nn.Module):
    """Tokens of a square, (n, side * side, width), to its four bands (n, 4, (side / 2) ** 2, width).

    The bands are: low in both directions, high from top to bottom, high from left to right, high in both.
    """

    def __init__(self) -> None:
        super().__init__()
        for number, taps in enumerate(_TAPS):
            self.register_buffer(f"h{number}_col", torch.tensor(taps).view(1, 1, 2, 1))
            self.register_buffer(f"h{number}_row", torch.tensor(taps).view(1, 1, 1, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        """The bands, row by row."""
        count, places, width = tokens.shape
        half = math.isqrt(places) // 2
        squares = tokens.reshape(count, half, 2, half, 2, width).permute(0, 2, 4, 1, 3, 5).reshape(count, 4, -1)
        return (_kernels(self, "h") @ squares).view(count, 4, half * half, width)


class Synthesis(nn.Module):
    """The inverse of Analysis: four bands (n, 4, half * half, width) to tokens (n, 4 * half * half, width)."""

    def __init__(self) -> None:
        super().__init__()
        for number, taps in enumerate(_TAPS):
            self.register_buffer(f"g{number}_col", torch.tensor(taps).view(1, 1, 2, 1))
            self.register_buffer(f"g{number}_row", torch.tensor(taps).view(1, 1, 1, 2))

    def forward(self, bands: Tensor) -> Tensor:
        """The tokens, row by row."""
        count, _, places, width = bands.shape
        half = math.isqrt(places)
        squares = (_kernels(self, "g").T @ bands.reshape(count, 4, -1)).view(count, 2, 2, half, half, width)
        return squares.permute(0, 3, 1, 4, 2, 5).reshape(count, 4 * places, width)


def _kernels(module: nn.Module, letter: str) -> Tensor:
    """The four filters of 2 x 2 places, one in each row: filters do not overlap, so a product of matrices does it."""
    column = torch.stack([module.get_buffer(f"{letter}{number}_col").flatten() for number in (0, 1)])
    row = torch.stack([module.get_buffer(f"{letter}{number}_row").flatten() for number in (0, 1)])
    return torch.einsum("yi,xj->xyij", column, row).reshape(4, 4)
