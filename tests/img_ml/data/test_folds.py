"""Folds and weights: sources stay together, large ones do not shout, detectors are struck out but never all."""

import numpy as np
import pytest

from img_ml.data.dataset import DatasetError
from img_ml.data.folds import balanced_weights, grouped_folds, skip_detectors, validation_rows


def test_no_source_is_on_both_sides_of_a_fold() -> None:
    source = np.repeat([f"s{i}" for i in range(20)], 7)
    label = np.repeat(np.arange(20) % 2, 7)
    folds = grouped_folds(label, source, 0)
    assert sorted(np.concatenate([held_out for _, held_out in folds])) == list(range(140))
    for learned, held_out in folds:
        assert not set(source[learned]) & set(source[held_out])


def test_folds_that_would_learn_one_class_only_are_refused() -> None:
    source = np.array(["ai"] * 10 + [f"s{i}" for i in range(10)])
    label = np.array([1] * 10 + [0] * 10)
    with pytest.raises(DatasetError, match="one class only"):
        grouped_folds(label, source, 0)


def test_early_stopping_watches_val_or_a_part_of_the_sources_where_val_lacks_a_class() -> None:
    label = np.tile([0, 1], 20)
    source = np.repeat([f"s{i}" for i in range(10)], 4)
    split = np.where(np.arange(40) < 8, "val", "train")
    assert (validation_rows(label, source, split, 0) == (split == "val")).all()
    instead = validation_rows(label, source, np.full(40, "train"), 0)
    assert 0 < instead.sum() < 20
    assert not set(source[instead]) & set(source[~instead])
    assert not validation_rows(label, np.full(40, "one"), np.full(40, "train"), 0).any()


def test_weights_even_out_classes_and_damp_large_sources() -> None:
    label = np.array([0] * 100 + [1] * 4)
    source = np.array(["big"] * 96 + ["small"] * 4 + ["one"] * 4)
    weight = balanced_weights(label, source)
    assert weight[label == 0].sum() == pytest.approx(weight[label == 1].sum())
    assert weight.mean() == pytest.approx(1)
    assert weight[99] / weight[0] == pytest.approx((96 / 4) ** 0.5)


def test_detectors_are_struck_out_whole_at_the_asked_rate_but_never_all_of_them() -> None:
    owner = ["a", "a", "b", "c"]
    struck = np.isnan(skip_detectors(np.ones((5000, 4)), owner, 0.3, 0))
    assert (struck[:, 0] == struck[:, 1]).all()
    assert struck.mean(axis=0) == pytest.approx(0.3, abs=0.05)
    assert not struck.all(axis=1).any()
    assert not np.isnan(skip_detectors(np.ones((100, 4)), owner, 0.0, 0)).any()
