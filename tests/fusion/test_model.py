"""The fusion model: honest weights, NaN through, and refusal of files that were changed."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from forensics.errors import ArtifactError
from fusion.features import schema_of
from fusion.model import MANIFEST_FILE, MODEL_FILE, load_artifact, load_model
from img_ml.profiles import load_profile
from img_ml.settings import PACKAGED_MODELS


def rows(count: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 5, (count, width))


def test_contributions_and_base_add_up_to_the_log_odds(artifact: Path) -> None:
    model = load_model(artifact)
    weighed = model.weigh(rows(20, len(model.schema.features)))
    assert weighed.contributions.sum(axis=1) + weighed.base == pytest.approx(weighed.log_odds)


def test_the_log_odds_are_the_calibrated_margin(artifact: Path) -> None:
    import xgboost

    model = load_model(artifact)
    matrix = rows(20, len(model.schema.features))
    data = xgboost.DMatrix(matrix, missing=np.nan, feature_names=list(model.schema.names))
    margin = model.booster.predict(data, output_margin=True).astype(np.float64)
    assert model.weigh(matrix).log_odds == pytest.approx(model.calibration.log_odds(margin), abs=1e-4)
    assert logit(model.calibration.probability(margin)) == pytest.approx(model.calibration.log_odds(margin))


def test_too_little_measured_gives_no_probability(artifact: Path) -> None:
    model = load_model(artifact)
    nothing = np.full((1, len(model.schema.features)), np.nan)
    assert np.isnan(model.weigh(nothing).log_odds[0])


def test_a_loaded_model_weighs_as_the_trained_one(artifact: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    matrix = rows(5, len(load_model(artifact).schema.features))
    assert np.array_equal(load_model(artifact).weigh(matrix).log_odds, load_model(copy).weigh(matrix).log_odds)


def test_the_schema_of_the_light_profile_is_inside_the_file(artifact: Path) -> None:
    assert load_model(artifact).schema == schema_of(load_profile("light", artifact.parent).detectors)


def test_a_changed_file_is_refused(artifact: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    data = bytearray((copy / MODEL_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / MODEL_FILE).write_bytes(data)
    with pytest.raises(ArtifactError, match="not the file its manifest lists"):
        load_model(copy)


def test_the_fingerprint_is_of_the_bytes_that_were_loaded(artifact: Path) -> None:
    digest = hashlib.sha256((artifact / MODEL_FILE).read_bytes()).hexdigest()
    assert load_artifact(artifact).fingerprint == digest[:16]


@pytest.mark.parametrize("manifest", ["", "{}", "[]", json.dumps({"files": {MODEL_FILE: {}}})])
def test_a_broken_manifest_is_refused(artifact: Path, tmp_path: Path, manifest: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    (copy / MANIFEST_FILE).write_text(manifest, encoding="utf-8")
    with pytest.raises(ArtifactError, match="manifest"):
        load_model(copy)


def test_an_absent_artifact_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train one"):
        load_model(tmp_path)


def test_every_file_of_the_shipped_artifact_is_the_one_its_manifest_lists() -> None:
    folder = PACKAGED_MODELS / "light"
    listed = json.loads((folder / MANIFEST_FILE).read_text())["files"]
    assert set(listed) == {path.name for path in folder.iterdir()} - {MANIFEST_FILE}
    for name, entry in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"], name


def test_the_shipped_model_fits_the_detectors_of_this_release() -> None:
    assert load_model(PACKAGED_MODELS / "light").schema == schema_of(load_profile("light", PACKAGED_MODELS).detectors)
