"""Reasons: what the model weighed, strongest first, with its own weight and direction."""

from dataclasses import replace

import numpy as np
import pytest

import img_ml.detectors  # noqa: F401
from fusion.calibration import Calibration, Thresholds
from fusion.features import FeatureVector, schema_of
from fusion.model import FusionModel, Reference
from fusion.reasons import LEAST_WEIGHT, MOST_REASONS, reasons
from fusion.weighers.kinds import KINDS
from fusion.weighers.weigher import Rows


@pytest.fixture(scope="module")
def model() -> FusionModel:
    """A model of three detectors' numbers; its weights are not looked at, for reasons are given them."""
    schema = schema_of(["statistics", "ela", "noise"])
    random = np.random.default_rng(0)
    values, label = random.normal(0, 1, (40, len(schema.features))), np.arange(40) % 2
    weigher = KINDS["logistic"].train(Rows(values, label, np.ones(40)), schema.names, {"C": 1.0}, 0)
    references = tuple(Reference(0.25 + place, 0.75 + place, 0.01) for place in range(len(schema.features)))
    return FusionModel("logistic", weigher, schema, Calibration(1.0, 0.0), Thresholds(0.9, 0.1), references)


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


def test_an_aspect_is_told_by_a_number_that_speaks_its_way_not_by_a_larger_one_that_speaks_against(
    model: FusionModel,
) -> None:
    given = {"noise_sigma": 0.5, "noise_flat_sigma": 0.6, "noise_spread": -0.8}
    features = {feature.name: feature for feature in model.schema.features}
    (ai,) = told(model, given)
    assert ai.weight == pytest.approx(0.3)
    assert features["noise_flat_sigma"].meaning in ai.sentence
    (non_ai,) = told(model, {name: -weight for name, weight in given.items()})
    assert non_ai.weight == pytest.approx(-0.3)
    assert features["noise_flat_sigma"].meaning in non_ai.sentence


def test_a_value_is_placed_against_the_usual_range_of_real_images(model: FusionModel) -> None:
    place = model.schema.names.index("noise_sigma")
    low, high = model.references[place].low, model.references[place].high
    usual = f"{low:.3g} to {high:.3g}"
    for value, word in ((low - 0.2, "below"), (high + 0.2, "above")):
        (reason,) = told(model, {"noise_sigma": 0.5}, value=value)
        assert f", {word} the usual {usual} of real" in reason.sentence
    for value in (low, high):
        # A usual number that still speaks for AI is not called usual: that would read as a contradiction.
        (reason,) = told(model, {"noise_sigma": 0.5}, value=value)
        assert f"(real training images: {usual})" in reason.sentence
        assert "the usual" not in reason.sentence


def test_a_value_that_is_shown_as_the_end_of_the_range_is_not_told_as_beyond_it(model: FusionModel) -> None:
    ranged = replace(model, references=(Reference(0.0282, 0.7251, 0.01),) * len(model.references))
    (reason,) = told(ranged, {"noise_sigma": 0.5}, value=0.72523)
    assert "is 0.725 (real training images: 0.0282 to 0.725)" in reason.sentence
    (reason,) = told(ranged, {"noise_sigma": -0.5}, value=0.72523)
    assert "is 0.725, within the usual 0.0282 to 0.725" in reason.sentence
    (reason,) = told(ranged, {"noise_sigma": 0.5}, value=0.7262)
    assert "is 0.726, above the usual 0.0282 to 0.725" in reason.sentence


def test_a_number_that_no_real_training_image_has_is_told_without_a_range(model: FusionModel) -> None:
    place = model.schema.names.index("noise_sigma")
    unknown = [replace(one, low=np.nan, high=np.nan) if i == place else one for i, one in enumerate(model.references)]
    (reason,) = told(replace(model, references=tuple(unknown)), {"noise_sigma": 0.5}, value=2.0)
    assert " is 2;" in reason.sentence
    assert "usual" not in reason.sentence


def test_a_weight_of_exactly_the_least_is_told(model: FusionModel) -> None:
    assert [reason.weight for reason in told(model, {"noise_sigma": -LEAST_WEIGHT})] == [-LEAST_WEIGHT]


def test_a_title_begins_with_a_capital_and_goes_on_as_it_is(model: FusionModel) -> None:
    (reason,) = told(model, {"noise_sigma": 0.5})
    assert reason.sentence.startswith("Grain strength: ")
