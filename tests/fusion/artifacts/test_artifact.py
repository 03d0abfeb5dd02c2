"""Artifacts: loaded as they were written, and refused before anything in them is interpreted when they were changed."""

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from forensics.errors import ArtifactError
from fusion.artifacts.artifact import MANIFEST_FILE, MODEL_FILE, load_artifact
from fusion.features import schema_of
from img_ml.profiles import load_profile
from img_ml.settings import PACKAGED_MODELS


@pytest.fixture
def copy(artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifact, tmp_path / "copy"))


def listed(folder: Path) -> dict[str, dict[str, object]]:
    files: dict[str, dict[str, object]] = json.loads((folder / MANIFEST_FILE).read_text())["files"]
    return files


@pytest.mark.parametrize("kind", ["artifact", "logistic", "network"])
def test_a_copy_weighs_as_the_original(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    original = request.getfixturevalue(kind)
    first, second = load_artifact(original), load_artifact(Path(shutil.copytree(original, tmp_path / "copy")))
    matrix = np.random.default_rng(0).normal(0, 5, (5, len(first.model.schema.features)))
    assert np.array_equal(first.model.log_odds(matrix), second.model.log_odds(matrix))
    assert first.fingerprint == second.fingerprint


def test_the_three_kinds_have_three_fingerprints(artifact: Path, logistic: Path, network: Path) -> None:
    assert len({load_artifact(folder).fingerprint for folder in (artifact, logistic, network)}) == 3


@pytest.mark.parametrize("name", ["fusion.ubj", MODEL_FILE, "metrics.json", "roc.svg"])
def test_one_changed_byte_in_any_file_is_refused(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ArtifactError, match="does not match its manifest"):
        load_artifact(copy)


class _Bomb:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._mark),)


def test_a_tampered_joblib_is_refused_before_it_is_unpickled(network: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(network, tmp_path / "copy"))
    mark = tmp_path / "it-ran"
    (copy / "fusion.joblib").write_bytes(pickle.dumps(_Bomb(mark)))
    with pytest.raises(ArtifactError, match="does not match its manifest"):
        load_artifact(copy)
    assert not mark.exists()


def test_a_pickle_of_another_release_is_refused_before_it_is_unpickled(network: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(network, tmp_path / "copy"))
    mark = tmp_path / "it-ran"
    bomb = pickle.dumps(_Bomb(mark))
    (copy / "fusion.joblib").write_bytes(bomb)
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    manifest["files"]["fusion.joblib"]["sha256"] = hashlib.sha256(bomb).hexdigest()
    manifest["libraries"]["scikit-learn"] = "0.19.2"
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"scikit-learn 0\.19\.2"):
        load_artifact(copy)
    assert not mark.exists()


def test_a_missing_file_is_refused_by_name(copy: Path) -> None:
    (copy / "metrics.json").unlink()
    with pytest.raises(ArtifactError, match=r"metrics\.json cannot be read"):
        load_artifact(copy)


def test_a_manifest_cannot_reach_outside_of_its_folder(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    manifest["files"]["../secret"] = {"sha256": "0" * 64}
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="lies outside"):
        load_artifact(copy)


@pytest.mark.parametrize("manifest", ["", "{}", "[]", json.dumps({"files": {MODEL_FILE: {}}, "libraries": {}})])
def test_a_broken_manifest_is_refused(copy: Path, manifest: str) -> None:
    (copy / MANIFEST_FILE).write_text(manifest, encoding="utf-8")
    with pytest.raises(ArtifactError, match="manifest"):
        load_artifact(copy)


def test_an_absent_artifact_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="train one"):
        load_artifact(tmp_path)


def test_a_model_of_another_detector_version_is_refused(copy: Path) -> None:
    content = json.loads((copy / MODEL_FILE).read_text())
    content["schema"]["features"][0]["detector_version"] += 1
    text = json.dumps(content)
    (copy / MODEL_FILE).write_text(text)
    manifest = json.loads((copy / MANIFEST_FILE).read_text())
    manifest["files"][MODEL_FILE]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="retrain the model"):
        load_artifact(copy)


def test_every_file_of_the_shipped_artifact_is_listed() -> None:
    folder = PACKAGED_MODELS / "light"
    # What answers without the encoder is an artifact of its own, with a manifest of its own.
    found = {path.name for path in folder.iterdir() if path.is_file()}
    assert set(listed(folder)) == found - {MANIFEST_FILE, "current.json"}


def test_the_shipped_model_fits_the_detectors_of_this_release() -> None:
    offered = set(schema_of(load_profile("light", PACKAGED_MODELS).detectors).features)
    assert set(load_artifact(PACKAGED_MODELS / "light").model.schema.features) <= offered


def listed_anew(folder: Path, name: str, data: bytes) -> None:
    """Put other bytes in a file's place, with a manifest that fits them."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def test_trees_that_kill_their_library_are_a_sentence(copy: Path) -> None:
    """A child that points far outside of its tree, under a manifest that fits."""
    data = (copy / "fusion.ubj").read_bytes()
    at = data.index(b"left_children")
    values = data.index(b"[$l#", at) + 4
    values += 1 + {ord("i"): 1, ord("U"): 1, ord("I"): 2, ord("l"): 4, ord("L"): 8}[data[values]]
    listed_anew(copy, "fusion.ubj", data[:values] + (0x7F000000).to_bytes(4, "big") + data[values + 4 :])
    with pytest.raises(ArtifactError, match="the trees cannot be run"):
        load_artifact(copy)


@pytest.mark.parametrize("name", ["fusion.ubj", MANIFEST_FILE])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_links_and_pipes_in_an_artifact_are_not_opened(copy: Path, name: str) -> None:
    shutil.copy(copy / name, copy.parent / "outside")
    (copy / name).unlink()
    (copy / name).symlink_to(copy.parent / "outside")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_artifact(copy)
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_artifact(copy)


@pytest.mark.parametrize("name", [MANIFEST_FILE, MODEL_FILE])
def test_deep_json_is_a_sentence(copy: Path, name: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    if name == MODEL_FILE:
        listed_anew(copy, name, deep)
    else:
        (copy / name).write_bytes(deep)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_artifact(copy)
