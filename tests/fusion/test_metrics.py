"""Measures: known values on small cases, and intervals that count sources."""

import numpy as np
import pytest

from fusion.metrics import (
    auc,
    balanced_accuracy,
    by_images,
    by_sources,
    calibration_error,
    recall_at,
    within_source_auc,
)

LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])


def test_auc_counts_ordered_pairs() -> None:
    assert auc(SCORE, LABEL) == pytest.approx(15 / 16)


def test_measures_of_one_class_are_nan_not_a_number() -> None:
    ones = np.ones(4, dtype=np.int64)
    assert all(np.isnan(m(SCORE[4:], ones)) for m in (auc, balanced_accuracy))
    assert np.isnan(recall_at(SCORE[4:], ones, 0.05))


def test_recall_is_read_at_the_strictest_threshold_within_the_false_positive_rate() -> None:
    assert recall_at(SCORE, LABEL, 0.0) == pytest.approx(0.75)
    assert recall_at(SCORE, LABEL, 0.25) == pytest.approx(1.0)


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_probabilities() -> None:
    label = np.array([0, 1] * 50)
    assert calibration_error(np.full(100, 0.5), label) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 1.0), label) == pytest.approx(0.5)


def test_within_source_auc_cannot_be_bought_by_telling_sources_apart() -> None:
    random = np.random.default_rng(0)
    label = np.tile([0, 1], 200).astype(np.int64)
    mixed = np.where(np.arange(400) < 200, "a", "b")
    shift = np.where(mixed == "a", 5.0, 0.0)
    pure_label = np.concatenate([label, np.ones(100, dtype=np.int64)])
    pure_source = np.concatenate([mixed, np.full(100, "only-ai")])
    score = np.concatenate([random.normal(0, 1, 400) + shift, np.full(100, 9.0)])
    assert auc(score, pure_label) > 0.6
    assert within_source_auc(score, pure_label, pure_source) == pytest.approx(0.5, abs=0.06)


def test_an_interval_over_sources_is_wider_than_over_images_when_sources_differ() -> None:
    random = np.random.default_rng(1)
    source = np.repeat([f"s{i}" for i in range(6)], 50)
    level = np.repeat(random.random(6), 50)
    values = level + random.normal(0, 0.01, 300)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    over_sources, over_images = by_sources(mean, source), by_images(mean, 300)
    assert over_sources.low < over_sources.value < over_sources.high
    assert over_sources.high - over_sources.low > 3 * (over_images.high - over_images.low)
