"""Co-occurrences of quantised, truncated residuals: three neighbours at a time (Fridrich and Kodovsky, 2012)."""

import itertools

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.forensic.numbers import Numbers
from forensics.residual import luminance, square_residual
from forensics.types import Pixels

# Residuals are told apart in steps of so many grey levels, up to so many steps to either side.
STEP, LIMIT = 1.0, 2
LEVELS = 2 * LIMIT + 1
NEIGHBOURS = 3
Levels = NDArray[np.int64]


def cooccurrences(pixels: Pixels) -> Numbers:
    """The shares of the classes of triples, along lines of second differences, and in the square residual.

    Triples that differ by sign or direction are one class; the shares of either kind add up to 1.
    """
    light = luminance(pixels)
    square = _quantised(square_residual(light))
    found = {
        "line": _counts(_quantised(_bends(light))) + _counts(_quantised(_bends(light.T))),
        "square": _counts(square) + _counts(square.T),
    }
    return {
        f"{kind}_{name}": float(share)
        for kind, counts in found.items()
        for name, share in zip(_NAMES, counts / counts.sum(), strict=True)
    }


def _bends(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Halved second differences along the rows."""
    return np.asarray(plane[:, 1:-1] - (plane[:, :-2] + plane[:, 2:]) / 2, dtype=np.float32)


def _quantised(residual: NDArray[np.float32]) -> Levels:
    return np.asarray(np.clip(np.rint(residual / STEP), -LIMIT, LIMIT) + LIMIT, dtype=np.int64)


def _counts(levels: Levels) -> NDArray[np.float64]:
    """How many triples along the rows are of each class."""
    code = (levels[:, :-2] * LEVELS + levels[:, 1:-1]) * LEVELS + levels[:, 2:]
    triples = np.bincount(code.ravel(), minlength=LEVELS**NEIGHBOURS)
    return np.bincount(_CLASSES, weights=triples, minlength=len(_NAMES)).astype(np.float64, copy=False)


def _classes() -> tuple[NDArray[np.intp], list[str]]:
    """The class of each triple, and the classes' names."""
    triples = list(itertools.product(range(-LIMIT, LIMIT + 1), repeat=NEIGHBOURS))
    first = [max(t, t[::-1], (-t[0], -t[1], -t[2]), (-t[2], -t[1], -t[0])) for t in triples]
    names = sorted(set(first))
    return np.array([names.index(one) for one in first]), ["".join(f"{value:+d}" for value in one) for one in names]


_CLASSES, _NAMES = _classes()
