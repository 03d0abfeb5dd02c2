"""What networks learn from: sources on one side, classes evenly, batches that follow from the seed."""

from pathlib import Path

import numpy as np
import pytest

from img_ml.data.dataset import DatasetError, read_rows
from img_ml.train.examples import NATIVE_CROPS, Examples, divide, native_crops_of


def test_the_test_split_is_neither_learned_from_nor_watched_and_no_source_is_on_both_sides(dataset: Path) -> None:
    rows = read_rows(dataset)
    division = divide(rows, 0)
    training, validation = ({row.source for row in side} for side in (division.training, division.validation))
    assert training | validation == {f"s{number}" for number in range(6)}
    assert not training & validation
    assert {row.label for row in division.training} == {row.label for row in division.validation} == {0, 1}
    with pytest.raises(DatasetError, match="five sources"):
        divide([row for row in rows if row.source in ("s0", "s1")], 0)


def test_batches_follow_from_seed_and_step_alone(dataset: Path) -> None:
    rows = divide(read_rows(dataset), 0).training
    with Examples(rows, 3, threads=2, view=NATIVE_CROPS) as examples:
        first = list(examples.batches(0, 6, 5))
        later = list(examples.batches(4, 6, 5))
    for one, other in zip(first[4:], later, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.labels, other.labels)
    assert first[0].pixels.shape == (5, 224, 224, 3)
    assert not np.array_equal(first[0].pixels, first[1].pixels)


def test_classes_and_sources_come_evenly_whatever_their_sizes(dataset: Path) -> None:
    rows = divide(read_rows(dataset), 0).training
    few = [row for row in rows if row.label == 0 or row.path.name.endswith("-0.png")]
    with Examples(few, 0, threads=1, view=NATIVE_CROPS) as examples:
        assert sum(row.label for row in few) < 0.3 * len(few)
        labels = np.concatenate([batch.labels for batch in examples.batches(0, 10, 20)])
    assert 0.4 < labels.mean() < 0.6


def test_a_crop_is_full_whatever_the_view_and_an_unreadable_image_is_told(dataset: Path) -> None:
    rows = read_rows(dataset)
    for side in (80, 224):
        crop = native_crops_of(side)
        assert {crop(rows[0], index, 0).shape for index in range(8)} == {(side, side, 3)}
    with pytest.raises(DatasetError, match="cannot be read"):
        crop(rows[-1], 0, 0)
