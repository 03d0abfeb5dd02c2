"""Overlapping tiles: an image of any size in windows that a network holds, each pixel belonging to one of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Span:
    """A window [start, start + size) along one axis, of which [first, last) belongs to it."""

    start: int
    size: int
    first: int
    last: int

    @property
    def seen(self) -> slice:
        """The window in the image."""
        return slice(self.start, self.start + self.size)

    @property
    def own(self) -> slice:
        """Its own part in the image."""
        return slice(self.first, self.last)

    @property
    def kept(self) -> slice:
        """Its own part within the window."""
        return slice(self.first - self.start, self.last - self.start)


@dataclass(frozen=True, slots=True)
class Tile:
    """A window of an image: its rows and its columns."""

    rows: Span
    columns: Span


def tiles(height: int, width: int, side: int, halo: int) -> list[Tile]:
    """Tiles of at most side x side pixels, all of one size and inside the image; their own parts make up the image.

    What belongs to a tile lies at least `halo` pixels from those of its edges that are not edges of the image.
    """
    return [Tile(rows, columns) for rows in spans(height, side, halo) for columns in spans(width, side, halo)]


def spans(length: int, side: int, halo: int) -> Sequence[Span]:
    """The windows along one axis, spread evenly."""
    if side <= 2 * halo:
        raise ValueError("a tile must be wider than its two halos")
    if length <= side:
        return [Span(0, length, 0, length)]
    count = 1 + math.ceil((length - side) / (side - 2 * halo))
    starts = [round(place * (length - side) / (count - 1)) for place in range(count)]
    cuts = [0, *((left + side + right) // 2 for left, right in pairwise(starts)), length]
    return [Span(start, side, cuts[place], cuts[place + 1]) for place, start in enumerate(starts)]
