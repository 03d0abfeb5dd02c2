"""Where the patches of an image lie, and how a value for each becomes a map over the image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forensics.types import Heatmap, Pixels

# An image of fewer whole patches is seen through its four corners and its middle.
FEWEST = 4
# Longest side of a map: it is stretched over the image when it is drawn.
_MAP_SIDE = 512


@dataclass(frozen=True, slots=True)
class Placing:
    """The patches of one image: corners (top, left) of the different ones, and which of them stand in what order.

    Corners are those of the image after `above` and `before` pixels were added above and left of it, where it is
    smaller than a patch. `order` names the same patch more than once where crops fall together.
    """

    side: int
    above: int
    before: int
    corners: tuple[tuple[int, int], ...]
    order: tuple[int, ...]


def place(height: int, width: int, side: int) -> Placing:
    """Whole patches side by side from the top left corner; what is left at the right and below is not looked at.

    Where that gives fewer than four, the four corners and the middle are taken.
    """
    tall, wide = max(height, side), max(width, side)
    corners = [(top, left) for top in range(0, tall - side + 1, side) for left in range(0, wide - side + 1, side)]
    if len(corners) < FEWEST:
        bottom, right = tall - side, wide - side
        # Halves round to even, as torchvision's five crops do.
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (round(bottom / 2), round(right / 2))]
    different = tuple(dict.fromkeys(corners))
    order = tuple(different.index(corner) for corner in corners)
    return Placing(side, (tall - height) // 2, (wide - width) // 2, different, order)


def padded(pixels: Pixels, side: int) -> Pixels:
    """The image, mirrored on to all sides where it is smaller than a patch; itself where it is not."""
    missing = [max(side - length, 0) for length in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(pixels, (*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)), mode="reflect")


def map_of(placing: Placing, values: Sequence[float] | NDArray[np.float32], height: int, width: int) -> Heatmap:
    """The values of the ordered patches over the image, relative to the largest; the mean where patches overlap.

    0 where no patch lies. At most 512 values along a side.
    """
    step = math.ceil(max(height, width) / _MAP_SIDE)
    rows = (np.arange(math.ceil(height / step)) + 0.5) * step + placing.above
    columns = (np.arange(math.ceil(width / step)) + 0.5) * step + placing.before
    total, count = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
    for which, value in zip(placing.order, np.asarray(values, dtype=np.float64), strict=True):
        top, left = placing.corners[which]
        inside = np.ix_(_within(rows, top, placing.side), _within(columns, left, placing.side))
        total[inside] += value
        count[inside] += 1
    means = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    most = means.max()
    return (means / most if most > 0 else means).astype(np.float32)


def _within(places: NDArray[np.floating], start: int, side: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (places >= start) & (places < start + side)
    return inside
