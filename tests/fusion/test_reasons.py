"""Reasons: what the model weighed, strongest first, with its own weight and direction."""

from pathlib import Path

import numpy as np
import pytest

from fusion.artifacts.artifact import load_artifact
from fusion.features import FeatureVector
from fusion.model import FusionModel
from fusion.reasons import LEAST_WEIGHT, MOST_REASONS, reasons


@pytest.fixture(scope="module")
def model(artifact: Path) -> FusionModel:
    return load_artifact(artifact).model


def told(model: FusionModel, given: dict[str, float], value: float = 1.0) -> tuple:
    contributions = np.array([given.get(name, 0.0) for name in model.schema.names])
    return reasons(model, FeatureVector(model.schema, np.full(len(contributions), value)), contributions)


def test_an_aspect_weighs_the_sum_of_its_numbers_and_is_told_by_the_strongest(model: FusionModel) -> None:
    (reason,) = told(model, {"noise_sigma": 0.5, "noise_flat_sigma": 0.2, "noise_spread": -0.1})
    assert reason.aspect == "grain strength"
    assert reason.weight == pytest.approx(0.6)
    assert "strength of the finest grain" in reason.sentence
    assert "speaks for AI (+0.60 log-odds)" in reason.sentence


def test_reasons_come_strongest_first_whatever_their_direction(model: FusionModel) -> None:
    found = told(model, {"noise_sigma": 0.3, "ela_mean": -0.9, "tone_contrast": 0.5})
    assert [r.aspect for r in found] == ["recompression error", "tone", "grain strength"]
    assert "speaks for NON-AI (-0.90 log-odds)" in found[0].sentence


def test_weights_too_small_to_matter_are_left_out(model: FusionModel) -> None:
    assert told(model, {"noise_sigma": LEAST_WEIGHT / 2}) == ()


def test_at_most_five_are_told(model: FusionModel) -> None:
    assert len(told(model, dict.fromkeys(model.schema.names, 0.2))) == MOST_REASONS


def test_an_unmeasured_number_is_told_as_such(model: FusionModel) -> None:
    (reason,) = told(model, {"noise_sigma": 0.5}, value=float("nan"))
    assert "could not be measured" in reason.sentence
