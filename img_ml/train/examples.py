"""What a network learns from: crops of a dataset's images, both classes shown through the same random encodings."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forensics.crops import CROP
from forensics.errors import DatasetError, JobError
from forensics.reading.decode import decode
from forensics.types import Pixels
from img_ml.data import views as drawn
from img_ml.data.dataset import Row
from img_ml.data.folds import balanced_weights, validation_rows
from img_ml.data.high_frequencies import REACH, Differences, high_frequencies
from img_ml.detectors._votes import part_of, resized

# What a row's image looks like under that index and seed: pixels of one size for all rows.
View = Callable[[Row, int, int], Pixels | Differences]
PixelView = Callable[[Row, int, int], Pixels]
# How often each of the rows is drawn, in proportion (n,).
Weigh = Callable[[Sequence[Row]], NDArray[np.float64]]
# Batches that are made while the network is busy with one.
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (n, H, W, 3) in grey levels, or differences of those, and the label of each (n,)."""

    pixels: Pixels | Differences
    labels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Division:
    """The rows outside the test split: those to train on, and those that early stopping validates on."""

    training: tuple[Row, ...]
    validation: tuple[Row, ...]


def divide(rows: Sequence[Row], seed: int) -> Division:
    """A fifth of the sources of train and val for validation, the others for training; test is left alone.

    Raises DatasetError where both classes cannot be on both sides.
    """
    usable = [row for row in rows if row.split != "test"]
    labels = np.array([row.label for row in usable])
    sources = np.array([row.source for row in usable])
    # The val split gets no part of its own: it may hold the sources of train.
    aside = validation_rows(labels, sources, np.full(len(usable), "train"), seed)
    if not aside.any():
        raise DatasetError("Training needs at least five sources outside test, and at least two of each class.")
    return Division(
        tuple(row for row, is_validation in zip(usable, aside, strict=True) if not is_validation),
        tuple(row for row, is_validation in zip(usable, aside, strict=True) if is_validation),
    )


def by_source(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Both classes come equally often, and inside one a source as often as the root of its size says."""
    return balanced_weights(np.array([row.label for row in rows]), np.array([row.source for row in rows]))


class Examples:
    """Batches of random views of images, made by threads ahead of time; a context that ends them.

    Every batch follows from the seed and its number alone, so that a resumed training sees what it would have seen.
    `weigh` says how often a row is drawn.
    """

    def __init__(self, rows: Sequence[Row], seed: int, threads: int, view: View, weigh: Weigh = by_source) -> None:
        self._rows, self._seed, self._threads, self._view = rows, seed, threads, view
        weights = weigh(rows)
        self._share = weights / weights.sum()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self._threads)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(self, first: int, last: int, size: int) -> Iterator[Batch]:
        """The batches of the steps [first, last), `size` images each."""
        coming: deque[Sequence[tuple[Row, Future[Pixels | Differences]]]] = deque()
        for step in range(first, last):
            coming.append(self._ordered(step, size))
            if len(coming) > _AHEAD:
                yield _batch(coming.popleft())
        while coming:
            yield _batch(coming.popleft())

    def fixed(self, rows: Sequence[Row]) -> Batch:
        """One view of each of these rows, always the same."""
        return _batch([(row, self._pool.submit(self._view, row, 0, self._seed)) for row in rows])

    def _ordered(self, step: int, size: int) -> Sequence[tuple[Row, Future[Pixels | Differences]]]:
        random = np.random.default_rng([self._seed, step])
        places = random.choice(len(self._rows), size, p=self._share)
        drawn = [(self._rows[place], 1 + step * size + slot) for slot, place in enumerate(places.tolist())]
        return [(row, self._pool.submit(self._view, row, index, self._seed)) for row, index in drawn]


def _batch(drawn: Sequence[tuple[Row, Future[Pixels | Differences]]]) -> Batch:
    pixels = cast(Pixels | Differences, np.stack([future.result() for _, future in drawn]))
    return Batch(pixels, np.array([row.label for row, _ in drawn], dtype=np.float32))


def to_images(pixels: Pixels | Differences, device: str | torch.device) -> Tensor:
    """The pixels (n, H, W, 3) as n x 3 x H x W in grey levels, laid out as they are: that is channels_last."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float()


def native_crops_of(side: int) -> PixelView:
    """Views that are crops of `side` x `side` pixels at native resolution, mirrored on where the image is smaller."""

    def crop(row: Row, index: int, seed: int) -> Pixels:
        # Cut so large that scaling leaves a full crop.
        shown = shown_as(row, index, seed, lambda view: replace(view, crop=math.ceil(side / view.scale)))[:side, :side]
        missing = [(0, side - length) for length in shown.shape[:2]]
        return np.pad(shown, (*missing, (0, 0)), mode="symmetric")

    return crop


def high_frequencies_of(side: int) -> View:
    """The same crops of the picture minus its blurred self; the blur sees what lies around the crop too."""
    larger = native_crops_of(side + 2 * REACH)

    def differences(row: Row, index: int, seed: int) -> Differences:
        return high_frequencies(larger(row, index, seed))[REACH:-REACH, REACH:-REACH]

    return differences


def resized_to(side: int) -> View:
    """Views that are the whole picture squashed to `side` x `side` pixels; from index 1 on, random parts of it.

    A part covers 80 to 100 % of the picture, and half of them are mirrored, as when a detector asks for votes.
    """

    def resize(row: Row, index: int, seed: int) -> Pixels:
        shown = shown_as(row, index, seed, lambda view: replace(view, crop=0))
        return resized(part_of(shown, np.random.default_rng([seed, index])) if index else shown, side)

    return resize


def shown_as(row: Row, index: int, seed: int, change: Callable[[drawn.View], drawn.View]) -> Pixels:
    """The image's pixels as its random view of that index shows them, once that view was changed.

    Raises DatasetError where the image cannot be read.
    """
    try:
        sample = decode(row.path.read_bytes())
        view = change(drawn.draw_view(sample.sha256, index, seed))
        return decode(drawn.render_view(sample, view)).pixels
    except (JobError, OSError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(
            f"{row.path} cannot be read: {told} python -m scripts.clean_dataset leaves such images out."
        ) from error


# What a network is shown unless its recipe says otherwise.
NATIVE_CROPS = native_crops_of(CROP)
