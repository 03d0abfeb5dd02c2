"""Measures: known values, agreement with scikit-learn, weights that mean repetition, intervals that count sources."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score, roc_curve

from fusion.evaluation.metrics import (
    Ranking,
    auc,
    balanced_accuracy,
    calibration_error,
    estimate,
    estimates,
    mixed_sources,
    share,
    within_source_auc,
)

LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
ONCE = np.ones(8)


@pytest.fixture(scope="module", params=[1, 2, 3])
def sample(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, labels, and how often each row counts."""
    random = np.random.default_rng(request.param)
    return random.integers(0, 30, 400) / 30, random.integers(0, 2, 400), random.integers(0, 4, 400).astype(float)


def test_auc_counts_ordered_pairs() -> None:
    assert auc(SCORE, LABEL) == pytest.approx(15 / 16)


def test_weights_mean_repetition(sample: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    score, label, times = sample
    repeated = np.repeat(np.arange(400), times.astype(int))
    ranking = Ranking(score, label)
    assert ranking.auc(times) == pytest.approx(roc_auc_score(label[repeated], score[repeated]))
    accused, found, _ = roc_curve(label[repeated], score[repeated])
    assert ranking.recall_at(times, 0.05) == pytest.approx(found[accused <= 0.05].max())
    right = balanced_accuracy(score >= 0.5, label)
    assert right(times) == pytest.approx(balanced_accuracy_score(label[repeated], score[repeated] >= 0.5))


def test_measures_of_one_class_are_nan_not_a_number() -> None:
    ones = np.ones(4, dtype=np.int64)
    ranking = Ranking(SCORE[4:], ones)
    assert np.isnan([ranking.auc(np.ones(4)), ranking.recall_at(np.ones(4), 0.05)]).all()
    assert np.isnan(balanced_accuracy(SCORE[4:] >= 0.5, ones)(np.ones(4)))


def test_recall_is_read_at_the_strictest_threshold_within_the_false_positive_rate() -> None:
    assert Ranking(SCORE, LABEL).recall_at(ONCE, 0.0) == pytest.approx(0.75)
    assert Ranking(SCORE, LABEL).recall_at(ONCE, 0.25) == pytest.approx(1.0)


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_probabilities() -> None:
    label = np.array([0, 1] * 50)
    assert calibration_error(np.full(100, 0.5), label)(np.ones(100)) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 1.0), label)(np.ones(100)) == pytest.approx(0.5)


def test_a_share_among_no_rows_is_unknown() -> None:
    nobody = np.zeros(8, dtype=bool)
    assert np.isnan(share(LABEL == 1, nobody)(ONCE))
    assert share(SCORE > 0.5, LABEL == 1)(ONCE) == pytest.approx(0.75)


def test_average_precision_is_that_of_scikit_learn_with_ties_and_weights() -> None:
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 60)
    score = np.round(random.random(60) + 0.3 * label, 1)
    times = random.integers(0, 4, 60)
    repeated = np.repeat(np.arange(60), times)
    expected = average_precision_score(label[repeated], score[repeated])
    assert Ranking(score, label).average_precision(times.astype(float)) == pytest.approx(expected)
    assert np.isnan(Ranking(score, label * 0).average_precision(np.ones(60)))


def test_within_source_auc_cannot_be_bought_by_telling_sources_apart() -> None:
    random = np.random.default_rng(0)
    label = np.tile([0, 1], 200).astype(np.int64)
    mixed = np.where(np.arange(400) < 200, "a", "b")
    shift = np.where(mixed == "a", 5.0, 0.0)
    pure_label = np.concatenate([label, np.ones(100, dtype=np.int64)])
    pure_source = np.concatenate([mixed, np.full(100, "only-ai")])
    score = np.concatenate([random.normal(0, 1, 400) + shift, np.full(100, 9.0)])
    images = np.arange(500).astype(str)
    assert auc(score, pure_label) > 0.6
    assert mixed_sources(pure_label, pure_source, images) == ["a", "b"]
    # Many views of few images do not make a source that can be measured.
    assert mixed_sources(pure_label, pure_source, (np.arange(500) % 10).astype(str)) == []
    assert within_source_auc(score, pure_label, pure_source, images)(np.ones(500)) == pytest.approx(0.5, abs=0.06)


def test_an_interval_over_sources_is_wider_than_over_images_when_sources_differ() -> None:
    random = np.random.default_rng(1)
    source = np.repeat([f"s{i}" for i in range(6)], 50)
    values = np.repeat(random.random(6), 50) + random.normal(0, 0.01, 300)
    found = estimate(lambda weight: float(weight @ values / weight.sum()), source)
    assert found.sources.low < found.value < found.sources.high
    assert found.sources.high - found.sources.low > 3 * (found.images.high - found.images.low)


def test_measures_together_get_the_intervals_they_get_alone() -> None:
    source = np.array(list("aabbccdd"))
    ranking = Ranking(SCORE, LABEL)
    together = estimates({"auc": ranking.auc, "error": calibration_error(SCORE, LABEL)}, source)
    assert together["auc"] == estimate(ranking.auc, source)


def test_views_of_one_image_are_resampled_together() -> None:
    random = np.random.default_rng(2)
    source = np.repeat([f"s{i}" for i in range(5)], 40)
    values = random.random(200)
    twice = np.repeat(np.arange(200), 2)

    def mean(weight: np.ndarray) -> float:
        return float(weight @ values[twice] / weight.sum())

    once = estimate(lambda weight: float(weight @ values / weight.sum()), source)
    together = estimate(mean, source[twice], image=twice.astype(str))
    apart = estimate(mean, source[twice])
    width = [found.images.high - found.images.low for found in (once, together, apart)]
    assert width[1] == pytest.approx(width[0], rel=0.15)
    assert width[2] < 0.85 * width[0]


def test_an_interval_holds_95_percent() -> None:
    answers = np.arange(1000) % 2 == 0
    found = estimate(share(answers, np.ones(1000, dtype=bool)), np.arange(1000).astype(str))
    half = 1.96 * np.sqrt(0.25 / 1000)
    for interval in (found.sources, found.images):
        # An interval of 90 % would be narrower by a sixth, one of 99 % wider by a third.
        assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.06)
        assert (interval.high + interval.low) / 2 == pytest.approx(0.5, abs=0.004)
