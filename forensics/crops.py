"""Native crops: the windows that statistics are measured through, so that numbers do not depend on image size."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from forensics.types import Pixels

CROP = 224
MIN_SIDE = 64
MAX_CROPS = 6
SPREAD = 3


def native_crops(pixels: Pixels) -> list[Pixels]:
    """Up to MAX_CROPS windows of at most CROP x CROP at native resolution, spread evenly; never resized.

    Corners lie on multiples of 8, so that a JPEG's block grid stays where it was. An image with a side under
    MIN_SIDE gives no crop: statistics of so few pixels are noise.
    """
    if min(pixels.shape[:2]) < MIN_SIDE:
        return []
    tops, lefts = _corners(pixels)
    return [_window(pixels, top, left) for top in tops for left in lefts]


def spread_crops(pixels: Pixels, least: int = MIN_SIDE) -> list[Pixels]:
    """Up to SPREAD of the native crops, taken in zigzag so that they lie far apart; none with a side under `least`.

    What the analyzers look at: three crops tell nearly what six do, for half the time.
    """
    if min(pixels.shape[:2]) < least:
        return []
    tops, lefts = _corners(pixels)
    if len(tops) > len(lefts):
        corners = [(top, lefts[i % len(lefts)]) for i, top in enumerate(tops)]
    else:
        corners = [(tops[i % len(tops)], left) for i, left in enumerate(lefts)]
    return [_window(pixels, top, left) for top, left in corners]


def mean_over_crops(pixels: Pixels, measure: Callable[[Pixels], Mapping[str, float]]) -> dict[str, float] | None:
    """Each number's mean over the spread crops, leaving out crops where it is NaN; None for a too small image."""
    measured = [measure(crop) for crop in spread_crops(pixels)]
    return mean_numbers(measured) if measured else None


def mean_numbers(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each number's mean over the crops, at least one, leaving out those where it is NaN."""
    table = np.array([[m[name] for name in measured[0]] for m in measured], dtype=np.float64)
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return dict(zip(measured[0], means.tolist(), strict=True))


def too_small_reason() -> str:
    """Why a statistical analyzer skips a tiny image."""
    return f"the image has a side under {MIN_SIDE} px, too few pixels for statistics"


def _corners(pixels: Pixels) -> tuple[list[int], list[int]]:
    """Where the crops begin, along the rows and along the columns."""
    height, width = pixels.shape[:2]
    rows, columns = (2, 3) if width >= height else (3, 2)
    return _starts(height, rows), _starts(width, columns)


def _window(pixels: Pixels, top: int, left: int) -> Pixels:
    return pixels[top : top + CROP, left : left + CROP]


def _starts(length: int, count: int) -> list[int]:
    last = max(length - CROP, 0)
    if last < CROP // 2:
        return [last // 2 // 8 * 8]
    return sorted({round(last * i / (count - 1)) // 8 * 8 for i in range(count)})
