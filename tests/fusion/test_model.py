"""The fusion model: honest weights, NaN through, and no answer from too little."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from fusion.artifacts.artifact import load_artifact
from fusion.model import FusionModel


@pytest.fixture(params=["artifact", "logistic", "network"])
def model(request: pytest.FixtureRequest) -> FusionModel:
    return load_artifact(request.getfixturevalue(request.param)).model


def rows(count: int, model: FusionModel) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 5, (count, len(model.schema.features)))


def test_contributions_and_base_add_up_to_the_log_odds(model: FusionModel) -> None:
    weighed = model.weigh(rows(20, model))
    assert weighed.contributions.sum(axis=1) + weighed.base == pytest.approx(weighed.log_odds)


def test_the_log_odds_are_the_calibrated_margin(model: FusionModel) -> None:
    matrix = rows(20, model)
    margin = model.weigher.margin(matrix)
    assert model.weigh(matrix).log_odds == pytest.approx(model.calibration.log_odds(margin), abs=1e-4)
    assert model.log_odds(matrix) == pytest.approx(model.calibration.log_odds(margin))
    assert model.calibration.probability(margin) == pytest.approx(expit(model.calibration.log_odds(margin)))


def test_too_little_measured_gives_no_probability(model: FusionModel) -> None:
    nothing = np.full((1, len(model.schema.features)), np.nan)
    assert np.isnan(model.weigh(nothing).log_odds[0])
    assert np.isnan(model.log_odds(nothing)[0])


def test_a_gap_is_weighed_not_refused(model: FusionModel) -> None:
    matrix = rows(5, model)
    least = int(np.argmin([reference.share for reference in model.references]))
    matrix[:, least] = np.nan
    assert np.isfinite(model.log_odds(matrix)).all()


def test_the_shares_of_the_features_add_up_to_all(model: FusionModel) -> None:
    assert sum(reference.share for reference in model.references) == pytest.approx(1)
    assert len(model.references) == len(model.schema.features)


def test_the_artifact_holds_only_features_that_were_measured(artifact: Path) -> None:
    # None of the images carries EXIF worth a feature, so the schema has no room for made-up weights on it.
    assert not any(name.startswith("exif") for name in load_artifact(artifact).model.schema.names)
