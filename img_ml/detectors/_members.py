"""Cross-fitted members of an ONNX graph over windows of an image: their logits, and a map of where they are high."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.special import expit

from forensics.crops import MIN_SIDE, too_small_reason
from forensics.types import Heatmap, ImageSample, Measured, Pixels, Signal, Skipped
from img_ml.engine.abilities import DrawsMap, HoldsOut, MarksWeights
from img_ml.engine.onnx_session import Floats, Members

# Pixels a side of a window; an image of which neither side is longer by more than LEFT_OUT is one window.
WINDOW, LEFT_OUT = 224, 112
# The most windows that are looked at for the logits, and the most pairs of a window and a member: what an image costs.
MOST_WINDOWS, MOST_PAIRS = 6, 6
# The most windows for a map, which is drawn only when somebody asks for it.
MOST_MAPPED = 48
# Pixels a side of one place of a map, and how many places are averaged along each axis: one alone says little.
CELL, SMOOTHED = 16, 5
# A JPEG's block grid stays where it was.
_BLOCK = 8


@dataclass(frozen=True, slots=True)
class MembersAnswer:
    """What the members say of an image: the logit of each (k,), and how far those of the single pairs spread."""

    logits: Floats
    windows: int
    spread: float


Told = Callable[[MembersAnswer], Measured]
# Rows and columns of an image.
CropSlices = tuple[slice, slice]


class MembersDetector(MarksWeights, HoldsOut, DrawsMap):
    """One signal for each image; `held_out` maps the mark of a source to the member that did not learn from it.

    `weights_sha256` sets these weights apart from others.
    """

    def __init__(
        self, name: str, members: Members, held_out: Mapping[str, int], weights_sha256: str, told: Told
    ) -> None:
        self.held_out, self.weights_sha256 = held_out, weights_sha256
        self._name, self._members, self._told = name, members, told

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        """The signals, in order."""
        return [self._signal(sample) for sample in samples]

    def locate(self, sample: ImageSample) -> Heatmap | None:
        """Where all members together find what looks generated, a value for each CELL pixels; None for a tiny image."""
        if min(sample.width, sample.height) < MIN_SIDE:
            return None
        return located(self._members, sample.pixels)

    def _signal(self, sample: ImageSample) -> Signal:
        if min(sample.width, sample.height) < MIN_SIDE:
            return Skipped(self._name, too_small_reason())
        places = spread_windows(sample.height, sample.width, MOST_WINDOWS, LEFT_OUT)
        windows = np.stack([sample.pixels[place] for place in places])
        found = self._members.logits([windows[list(seen)] for seen in shared_out(len(windows), self._members.count)])
        logits = np.array([one.mean() for one in found])
        return self._told(MembersAnswer(logits, len(windows), float(np.concatenate(found).std())))


def shared_out(windows: int, members: int) -> list[tuple[int, ...]]:
    """The windows that each member looks at: equally many, every window by somebody, at most MOST_PAIRS pairs.

    More pairs only where there are more windows or members than that.
    """
    each = max(min(windows, MOST_PAIRS // members), math.ceil(windows / members))
    return [tuple((member * each + place) % windows for place in range(each)) for member in range(members)]


def spread_windows(height: int, width: int, most: int, left_out: int) -> list[CropSlices]:
    """At most `most` windows of one size, spread evenly over the image.

    Where fewer would leave out no more than `left_out` pixels along an axis, there are fewer; where one window would,
    it is the whole image.
    """
    if max(height, width) <= WINDOW + left_out:
        return [(slice(0, height), slice(0, width))]
    rows, columns = (max(1, math.ceil((length - left_out) / WINDOW)) for length in (height, width))
    while rows * columns > most:
        # The axis along which windows are closer to each other loses one.
        if rows > 1 and (columns == 1 or height / rows <= width / columns):
            rows -= 1
        else:
            columns -= 1
    return list(product(_spans(height, rows), _spans(width, columns)))


def located(members: Members, pixels: Pixels) -> Heatmap:
    """The members' mean probability of AI by place, h x w with a value for each CELL pixels."""
    height, width = pixels.shape[:2]
    total = np.zeros((math.ceil(height / CELL), math.ceil(width / CELL)))
    seen = np.zeros_like(total)
    for rows, columns in spread_windows(height, width, MOST_MAPPED, _BLOCK):
        window = pixels[rows, columns]
        logits = np.mean([one[0] for one in members.maps([window[None]] * members.count)], axis=0)
        cells = _in_cells(logits, window)
        # Corners lie on multiples of half a place; which of two it counts for does not show.
        top, left = rows.start // CELL, columns.start // CELL
        part = np.s_[top : top + cells.shape[0], left : left + cells.shape[1]]
        total[part] += cells[: total[part].shape[0], : total[part].shape[1]]
        seen[part] += 1
    logits = total / np.maximum(seen, 1)
    if not seen.all():
        # Between the windows of a very large image: as the nearest place that was looked at.
        nearest = distance_transform_edt(seen == 0, return_distances=False, return_indices=True)
        logits = logits[tuple(nearest)]
    return expit(uniform_filter(logits, SMOOTHED, mode="nearest")).astype(np.float32)


def _spans(length: int, count: int) -> list[slice]:
    """Where `count` windows lie along an axis of that length."""
    if length <= WINDOW:
        return [slice(0, length)]
    last = length - WINDOW
    places = [last / 2] if count == 1 else [last * place / (count - 1) for place in range(count)]
    starts = sorted({round(place) // _BLOCK * _BLOCK for place in places})
    return [slice(start, start + WINDOW) for start in starts]


def _in_cells(logits: Floats, window: Pixels) -> NDArray[np.float64]:
    """A window's map with a value for each CELL pixels, whatever the network's own step is."""
    height, width = (math.ceil(length / CELL) for length in window.shape[:2])
    picture = Image.fromarray(logits.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX), dtype=np.float64)
