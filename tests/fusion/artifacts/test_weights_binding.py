"""A fusion belongs to the weights it was trained over."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensics.reading.decode import decode
from forensics.types import Measured, Skipped
from fusion.artifacts.artifact import load_artifact
from fusion.artifacts.in_force import WITHOUT_FOLDER, fitting, fusion_in_force
from fusion.evaluation.evaluation import _warnings
from fusion.evaluation.scored import score
from fusion.judge import Judge
from fusion.training.table import FeatureTable
from img_ml.engine.engine import Engine
from img_ml.profiles import load_profile
from img_ml.weights.store import PACKAGED
from tests.fusion.conftest import Train, photo_like
from tests.fusion.test_judge import png


@pytest.fixture(scope="module")
def artifact(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that weighs the network of the light profile alone."""
    return train(tmp_path_factory.mktemp("models") / "light", "--weigh", "crop_network")


@pytest.fixture(scope="module")
def engine(artifact: Path) -> Engine:
    return Engine(load_profile("light", artifact.parent), PACKAGED)


def test_an_artifact_names_the_weights_whose_numbers_it_weighs(artifact: Path, engine: Engine) -> None:
    told = json.loads((artifact / "fusion.json").read_bytes())["weights"]
    assert told == {"crop_network": engine.marks["crop_network"]}
    assert load_artifact(artifact).weights == told


def test_numbers_of_other_weights_are_skipped_and_not_weighed(artifact: Path, engine: Engine) -> None:
    fusion = fusion_in_force(load_profile("light", artifact.parent))
    other = replace(fusion, artifact=replace(fusion.artifact, weights={"crop_network": "0" * 16}))
    sample = decode(png(photo_like(5001, smooth=False)))
    (ours,) = Judge(engine, fusion, "light").judge([sample])
    (theirs,) = Judge(engine, other, "light").judge([sample])
    signals = [{signal.detector: signal for signal in one.evidence.signals} for one in (ours, theirs)]
    assert isinstance(signals[0]["crop_network"], Measured)
    skipped = signals[1]["crop_network"]
    assert isinstance(skipped, Skipped)
    assert "other weights" in skipped.reason
    assert all(
        isinstance(signals[1][name], type(signal)) for name, signal in signals[0].items() if name != "crop_network"
    )
    assert ours.fusion_prob is not None
    assert theirs.fusion_prob is None


def test_a_table_of_other_weights_is_scored_without_their_numbers(artifact: Path) -> None:
    loaded = load_artifact(artifact)
    schema, text = loaded.model.schema, np.array(["", ""])
    values = np.ones((2, len(schema.features)))
    of_crop_network = np.array([feature.detector == "crop_network" for feature in schema.features])
    lacking = np.where(of_crop_network, np.nan, values)
    given = FeatureTable(schema, values, np.array([0, 1]), text, text, text, text, text, text, text, text)
    same, other = (
        score(loaded, replace(given, marks={"crop_network": mark})) for mark in (loaded.weights["crop_network"], "")
    )
    unseen = score(loaded, replace(given, values=lacking, marks=loaded.weights))
    np.testing.assert_array_equal(other.probability, unseen.probability)
    assert np.isnan(other.probability).all()
    assert np.isfinite(same.probability).all()
    assert any("other weights of crop_network" in warning for warning in _warnings(other, loaded, frozenset()))
    assert not any("other weights" in warning for warning in _warnings(same, loaded, frozenset()))


def test_an_artifact_beside_it_answers_where_weights_are_missing(
    artifact: Path, engine: Engine, tmp_path: Path
) -> None:
    beside = tmp_path / "light" / WITHOUT_FOLDER / "other"
    shutil.copytree(artifact, tmp_path / "light")
    shutil.copytree(artifact, beside)
    fusion = replace(fusion_in_force(load_profile("light", artifact.parent)), folder=tmp_path / "light")
    needy = replace(fusion, artifact=replace(fusion.artifact, weights={"crop_network": "0" * 16}))
    stands_in = fitting(needy, engine.marks)
    assert stands_in.folder == beside
    assert stands_in.artifact.weights == {"crop_network": engine.marks["crop_network"]}
    assert fitting(fusion, engine.marks) is fusion
    (verdict,) = Judge(engine, needy, "light").judge([decode(png(photo_like(5002, smooth=False)))])
    assert verdict.fusion_prob is not None
    assert verdict.fingerprint == stands_in.artifact.fingerprint
