"""What SPAI learns from: random views of images as crops of the network's size, made by worker processes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.folds import balanced_weights
from img_ml.data.views import draw_view, render_view
from img_ml.networks.spai.patches import padded
from img_ml.train.spai.config import DataConfig

Drawn = Tensor | str
_FAR = 1 << 32


@dataclass(frozen=True, slots=True)
class CropBatch:
    """Crops (n, views, 3, side, side) in [0, 1] and the label of each image (n,)."""

    crops: Tensor
    labels: Tensor


# Epoch, place in it, and row: what the views of an image follow from, with the seed.
Key = tuple[int, int, int]


class Crops(Dataset[tuple[Drawn, int]]):
    """Views of images by key; whoever asks again gets the same."""

    def __init__(self, rows: Sequence[Row], views: int, side: int, seed: int) -> None:
        self._rows, self._views, self._side, self._seed = rows, views, side, seed

    def __getitem__(self, key: Key) -> tuple[Drawn, int]:
        """The views of the image as bytes (views, side, side, 3), or what is wrong with it."""
        epoch, place, number = key
        row = self._rows[number]
        # No epoch has so many images.
        first = (epoch * _FAR + place) * self._views
        try:
            data = row.path.read_bytes()
            shown = [crop(data, first + view, self._seed, self._side) for view in range(self._views)]
        except (JobError, OSError) as error:
            told = error.strerror if isinstance(error, OSError) else error
            return f"{row.path} cannot be read: {told} python -m scripts.clean_dataset leaves such images out.", 0
        return torch.from_numpy(np.stack(shown)), row.label


def crop(data: bytes, index: int, seed: int, side: int) -> Pixels:
    """The crop of an image as its random view of that index shows it; mirrored on where it is smaller."""
    sample = decode(data)
    view = draw_view(sample.sha256, index, seed)
    # Cut so large that scaling leaves a full crop.
    view = replace(view, crop=math.ceil(side / view.scale))
    return padded(decode(render_view(sample, view)).pixels, side)[:side, :side]


class Epochs(Sampler[list[Key]]):
    """The batches of each epoch: both classes come equally often, and a source as often as the root of its size."""

    def __init__(self, rows: Sequence[Row], data: DataConfig, seed: int) -> None:
        self._rows, self._batch, self._seed, self._epoch = len(rows), data.BATCH_SIZE, seed, 0
        self._count = data.IMAGES_PER_EPOCH or len(rows)
        weights = balanced_weights(np.array([row.label for row in rows]), np.array([row.source for row in rows]))
        self._share = weights / weights.sum()
        self._loader: DataLoader[tuple[Drawn, int]] = DataLoader(
            Crops(rows, data.AUGMENTED_VIEWS, data.IMG_SIZE, seed),
            batch_sampler=self,
            num_workers=data.NUM_WORKERS,
            collate_fn=_collated,
            persistent_workers=data.NUM_WORKERS > 0,
        )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self._count / self._batch)

    def __iter__(self) -> Iterator[list[Key]]:
        """The keys of the batches of the epoch that runs."""
        random = np.random.default_rng([self._seed, self._epoch])
        drawn = random.choice(self._rows, self._count, p=self._share).tolist()
        keys = [(self._epoch, place, number) for place, number in enumerate(drawn)]
        yield from (keys[at : at + self._batch] for at in range(0, len(keys), self._batch))

    def batches(self, epoch: int) -> Iterator[CropBatch]:
        """The batches; DatasetError where an image cannot be read."""
        self._epoch = epoch
        for drawn in self._loader:
            if isinstance(drawn, str):
                raise DatasetError(drawn)
            shown, labels = drawn
            yield CropBatch(shown.permute(0, 1, 4, 2, 3).float() / 255, labels)


def _collated(drawn: Sequence[tuple[Drawn, int]]) -> str | tuple[Tensor, Tensor]:
    shown = []
    for one, _ in drawn:
        if isinstance(one, str):
            return one
        shown.append(one)
    return torch.stack(shown), torch.tensor([float(label) for _, label in drawn])
