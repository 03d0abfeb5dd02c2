"""Native crops: the windows every statistical analyzer looks through, so that numbers do not depend on image size."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from forensics.types import Pixels

CROP = 224
MIN_SIDE = 64
MAX_CROPS = 6


def native_crops(pixels: Pixels) -> list[Pixels]:
    """Up to MAX_CROPS windows of at most CROP x CROP at native resolution, spread evenly; never resized.

    Corners lie on multiples of 8, so that a JPEG's block grid stays where it was. An image with a side under
    MIN_SIDE gives no crop: statistics of so few pixels are noise.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        return []
    rows, columns = (2, 3) if width >= height else (3, 2)
    tops = _starts(height, rows)
    lefts = _starts(width, columns)
    return [pixels[top : top + CROP, left : left + CROP] for top in tops for left in lefts]


def mean_over_crops(pixels: Pixels, measure: Callable[[Pixels], Mapping[str, float]]) -> dict[str, float] | None:
    """Each number's mean over the native crops, leaving out crops where it is NaN; None for a too small image."""
    measured = [measure(crop) for crop in native_crops(pixels)]
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


def _starts(length: int, count: int) -> list[int]:
    last = max(length - CROP, 0)
    if last < CROP // 2:
        return [last // 2 // 8 * 8]
    return sorted({round(last * i / (count - 1)) // 8 * 8 for i in range(count)})
