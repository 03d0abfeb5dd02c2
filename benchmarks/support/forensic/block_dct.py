"""Statistics of 8 x 8 DCT coefficients: spread and tails by frequency, first digits (Benford; Fu et al., 2007)."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from benchmarks.support.forensic.numbers import Numbers, log_kurtosis, log_power
from forensics.residual import block_view, luminance
from forensics.types import Pixels

SIDE = 8
# Diagonals of a block, from the lowest frequencies to the highest; the constant is left out.
DIAGONALS = range(1, 2 * SIDE - 1)
DIGITS = np.arange(1, 10)
BENFORD = np.log10(1 + 1 / DIGITS)
_DIAGONAL = np.add.outer(np.arange(SIDE), np.arange(SIDE))


def block_dct(pixels: Pixels) -> Numbers:
    """For each diagonal log power, log kurtosis and the share of zeros; the first digits of all but the constants."""
    coefficients = dctn(block_view(luminance(pixels) - 128, SIDE), axes=(2, 3), norm="ortho").transpose(2, 3, 0, 1)
    numbers: Numbers = {}
    for diagonal in DIAGONALS:
        values = coefficients[diagonal == _DIAGONAL]
        numbers |= {
            f"power_{diagonal}": log_power(values),
            f"kurtosis_{diagonal}": log_kurtosis(values),
            f"zeros_{diagonal}": float(np.mean(np.abs(values) < 0.5)),
        }
    return numbers | _digits(coefficients[_DIAGONAL > 0])


def _digits(values: NDArray[np.float32]) -> Numbers:
    """The shares of the first digits, and how far they are from Benford's; of coefficients of 1 and more."""
    size = np.abs(values.ravel()).astype(np.float64)
    size = size[size >= 1]
    first = (size / 10 ** np.floor(np.log10(size))).astype(int).clip(1, 9)
    shares = np.bincount(first, minlength=10)[1:] / max(len(first), 1)
    distance = float(np.sum(np.square(shares - BENFORD) / BENFORD))
    return {**{f"digit_{d}": float(share) for d, share in zip(DIGITS, shares, strict=True)}, "benford": distance}
