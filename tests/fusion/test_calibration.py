"""Calibration and thresholds: probabilities mean what they say, and the error budgets are kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.calibration import Calibration, Thresholds, fit_calibration, pick_thresholds


def test_calibration_recovers_the_slope_and_intercept_that_made_the_labels() -> None:
    random = np.random.default_rng(0)
    margin = random.normal(0, 2, 50_000)
    label = (random.random(50_000) < 1 / (1 + np.exp(-(0.5 * margin - 0.7)))).astype(np.int64)
    fitted = fit_calibration(margin, label, np.ones(50_000))
    assert fitted.slope == pytest.approx(0.5, abs=0.03)
    assert fitted.intercept == pytest.approx(-0.7, abs=0.05)


def test_calibration_never_turns_the_order_around() -> None:
    margin, label = np.array([-1.0, 0.0, 1.0, 2.0]), np.array([1, 1, 0, 0])
    assert fit_calibration(margin, label, np.ones(4)).slope > 0


def test_probability_is_the_logistic_of_the_log_odds() -> None:
    assert Calibration(2.0, 1.0).probability(np.array([-0.5]))[0] == pytest.approx(0.5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.05, 0.3]), st.sampled_from([0.0, 0.05, 0.2]))
def test_thresholds_keep_both_error_budgets(seed: int, false_positives: float, false_negatives: float) -> None:
    random = np.random.default_rng(seed)
    label = np.repeat([0, 1], 100).astype(np.int64)
    probability = np.clip(random.normal(0.4 + 0.2 * label, 0.2), 0, 1)
    kind = np.where(label == 1, "ai", np.where(random.random(200) < 0.3, "human_art", "real"))
    chosen = pick_thresholds(
        probability, label, false_positives, false_negatives, kind, {"human_art": 2 * false_positives}
    )
    assert chosen.non_ai <= chosen.leans_non_ai <= chosen.leans_ai <= chosen.ai
    if chosen.non_ai < chosen.ai:
        assert np.mean(probability[kind == "real"] >= chosen.ai) <= false_positives
        assert np.mean(probability[kind == "human_art"] >= chosen.ai) <= 2 * false_positives
        assert np.mean(probability[label == 1] <= chosen.non_ai) <= false_negatives


def test_the_band_between_the_thresholds_is_uncertain() -> None:
    thresholds = Thresholds(ai=0.8, non_ai=0.2)
    assert [thresholds.label(p) for p in (0.2, 0.21, 0.79, 0.8)] == ["NON-AI", "UNCERTAIN", "UNCERTAIN", "AI"]


def test_classes_that_are_apart_leave_no_uncertain_band() -> None:
    chosen = pick_thresholds(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), 0.0, 0.0)
    assert chosen.ai == chosen.non_ai


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from([0.0, 0.004, 0.01, 0.015, 0.05, 0.1]))
def test_at_most_the_allowed_share_is_called_wrongly_whatever_the_number_of_images(
    real: int, ai: int, rate: float
) -> None:
    random = np.random.default_rng(real * 1000 + ai)
    label = np.repeat([0, 1], [real, ai]).astype(np.int64)
    # Overlapping so far that the thresholds do not meet.
    probability = random.random(real + ai)
    chosen = pick_thresholds(probability, label, rate, rate)
    if chosen.non_ai < chosen.ai:
        accused, missed = probability[label == 0] >= chosen.ai, probability[label == 1] <= chosen.non_ai
        assert accused.sum() <= rate * real
        assert missed.sum() <= rate * ai


def test_the_thresholds_use_the_whole_of_their_budgets() -> None:
    probability = np.concatenate([np.linspace(0.1, 0.8, 150), np.linspace(0.2, 0.9, 130)])
    label = np.repeat([0, 1], [150, 130]).astype(np.int64)
    chosen = pick_thresholds(probability, label, 0.025, 0.04)
    assert (probability[label == 0] >= chosen.ai).sum() == 3
    assert (probability[label == 1] <= chosen.non_ai).sum() == 5


def test_thresholds_that_would_cross_meet_in_their_middle() -> None:
    probability, label = np.array([0.1, 0.3, 0.7, 0.9]), np.array([0, 0, 1, 1])
    assert pick_thresholds(probability, label, 0.0, 0.0).ai == pytest.approx(0.5)


def test_a_row_counts_in_the_calibration_as_often_as_its_weight_says() -> None:
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 600)
    margin, times = random.normal(0.8 * label, 1.0), random.integers(1, 6, 600) * (1 + 3 * label)
    repeated = np.repeat(np.arange(600), times)
    weighed = fit_calibration(margin, label, times.astype(np.float64))
    counted = fit_calibration(margin[repeated], label[repeated], np.ones(len(repeated)))
    assert weighed.slope == pytest.approx(counted.slope, rel=1e-3)
    assert weighed.intercept == pytest.approx(counted.intercept, abs=1e-3)
    assert abs(weighed.intercept - fit_calibration(margin, label, np.ones(600)).intercept) > 0.5


def test_an_undecided_probability_leans_to_what_it_is_closer_to() -> None:
    thresholds = Thresholds(ai=0.8, non_ai=0.2, leans_ai=0.6, leans_non_ai=0.4)
    leanings = [thresholds.leaning(p) for p in (0.1, 0.4, 0.5, 0.6, 0.9)]
    assert leanings == ["non_ai", "non_ai", None, "ai", "ai"]


def test_a_model_without_leanings_leans_only_where_it_has_a_label() -> None:
    assert [Thresholds(0.8, 0.2).leaning(p) for p in (0.2, 0.3, 0.7, 0.8)] == ["non_ai", None, None, "ai"]


def test_one_kind_alone_can_move_the_threshold_of_ai() -> None:
    probability, label = np.array([0.1, 0.2, 0.7, 0.1, 0.3, 0.9]), np.array([0, 0, 0, 0, 1, 1])
    kind = np.array(["real", "real", "human_art", "human_art", "ai", "ai"])
    strict = pick_thresholds(probability, label, 0.0, 0.0, kind)
    lenient = pick_thresholds(probability, label, 0.0, 0.0, kind, {"human_art": 0.5})
    assert strict.ai > 0.7
    assert lenient.ai < 0.7
