"""The classifier over SigLIP embeddings by its commands: extracted, trained, measured, mined, installed, used."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors import safe_open
from typer.testing import CliRunner, Result

from forensics.reading.decode import decode
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.data.dataset import DatasetError
from img_ml.detectors.siglip2 import load
from img_ml.refiners import ImageAIGCDetectorRefiner, ImageSigLIPEmbeddingRefiner
from img_ml.train.__main__ import app
from img_ml.train.embeddings import extract as extract_embeddings
from img_ml.train.embeddings.classifier_scores import hard, measures
from img_ml.train.embeddings.folder import Embeddings, Origin, read_embeddings, write_embeddings
from img_ml.train.embeddings.mlp import MlpPlan, divide, loss_of, train_mlp
from tests.img_ml.tiny import save_siglip, write_siglip
from tests.img_ml.train.conftest import IMAGES, SOURCES, picture

BASE = "google/siglip2-base-patch16-224"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_siglip(tmp_path / "weights")
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    return tmp_path / "weights"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Real images and images by AI in a folder each, one of them broken."""
    for name, smooth in (("real", False), ("ai", True)):
        for seed in range(8):
            folder = tmp_path / name / "deeper"
            folder.mkdir(parents=True, exist_ok=True)
            picture(seed + 50 * smooth, smooth=smooth).save(folder / f"{seed}.png")
    (tmp_path / "ai" / "broken.jpg").write_bytes(b"no image")
    return tmp_path / "real", tmp_path / "ai"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["siglip2", *map(str, arguments)])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def told(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


def labelled(count: int = 400, shift: float = 0.0, width: int = 16, seed: int = 0) -> Embeddings:
    """Unit vectors, one coordinate moved by the label."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values = random.normal(size=(count, width))
    values[:, 0] += shift * labels
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    paths = np.array([f"{seed}-{row}.png" for row in range(count)])
    sources = np.array([f"s{row // 20}" for row in range(count)])
    return Embeddings(values.astype(np.float32), labels, paths, np.full(count, ""), sources, Origin("e", "", True, 0))


@pytest.mark.parametrize("spelling", ["_", "-"])
def test_the_road_of_the_document_from_folders_to_a_refiner(
    weights: Path, folders: tuple[Path, Path], tmp_path: Path, spelling: str
) -> None:
    real, ai = folders
    command = f"extract{spelling}embeddings"
    flags = [f"--{name.replace('_', spelling)}" for name in ("real_images_dir", "ai_images_dir", "output_dir")]
    out = tmp_path / "embeddings"
    arguments = [command, flags[0], real, flags[1], ai, flags[2], out, f"--siglip{spelling}model", BASE]
    output = done(*arguments, "--threads", 1)
    assert "Embedded 16 images" in output
    assert "1 images could not be embedded and were left out" in output
    values, labels = np.load(out / "embeddings.npy"), np.load(out / "labels.npy")
    assert values.shape == (16, 32)
    assert values.dtype == np.float32
    assert labels.tolist() == [0] * 8 + [1] * 8
    path = tmp_path / "models" / "classifier.pth"
    dirs = [f"--embeddings{spelling}dir", out]
    done("train", *dirs, f"--output{spelling}path", path, "--epochs", 3, f"--batch{spelling}size", 8)
    measured = json.loads(done("evaluate", f"--model{spelling}path", path, *dirs, "--json").split("\n", 1)[1])
    assert measured["images"] == 16
    records: list[dict[str, Any]] = [{"image": {"bytes": (ai / "deeper" / "0.png").read_bytes()}}]
    ImageSigLIPEmbeddingRefiner(BASE, feature_field_name="e", device="cpu").refine_batch(records)
    np.testing.assert_allclose(records[0]["e"], values[8], atol=1e-6)
    ImageAIGCDetectorRefiner("e", str(path), embedding_dim=32, device="cpu").refine_batch(records)
    assert 0 < records[0]["image_aigc_score"] < 1


def test_a_dataset_is_extracted_trained_installed_and_heard_by_the_detector(
    weights: Path, dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "embeddings"
    output = done("extract_embeddings", "--dataset", dataset, "--output_dir", out, "--siglip_model", BASE)
    assert f"{2 * IMAGES} images could not be embedded" in output  # the test split's files are no images
    assert set(read_embeddings([out]).splits.tolist()) == {"train", "val"}
    before = load(Setup(weights, tier="standard")).weights_sha256
    output = done(
        *("train", "--embeddings_dir", out, "--output_path", tmp_path / "c.safetensors", "--install"),
        *("--epochs", 5, "--loss", "focal", "--focal-gamma", 1.5, "--hidden_dims", "16,8"),
    )
    assert "Installed siglip2-base-mlp" in output
    config = json.loads((weights / "siglip2-base-mlp" / "config.json").read_text())
    assert (config["hidden"], config["loss"], config["sources"]) == ([16, 8], "focal", SOURCES - 1)
    detector = load(Setup(weights, tier="standard"))
    assert detector.weights_sha256 != before
    (signal,) = detector([decode((dataset.parent / "1-1-0.png").read_bytes())])
    assert isinstance(signal, Measured)
    records = [{"e": signal.embedding}]
    refiner = ImageAIGCDetectorRefiner(
        "e", str(tmp_path / "c.safetensors"), embedding_dim=32, hidden_dims=(16, 8), device="cpu"
    )
    refiner.refine_batch(records)
    assert signal.numbers["siglip2_prob"] == pytest.approx(records[0]["image_aigc_score"], abs=1e-6)
    with safe_open(tmp_path / "c.safetensors", "pt") as file:
        assert json.loads(file.metadata()["facts"])["weights"] == "siglip2-base"


def test_views_show_both_classes_through_random_encodings(weights: Path, dataset: Path, tmp_path: Path) -> None:
    outs = [tmp_path / name for name in ("plain", "viewed")]
    for out, views in zip(outs, (0, 2), strict=True):
        given = ["--siglip_model", BASE, "--views", views, "--output_dir", out]
        done("extract_embeddings", "--dataset", dataset, *given)
    plain, viewed = (read_embeddings([out]) for out in outs)
    assert len(viewed.labels) == 2 * len(plain.labels)
    assert viewed.paths.tolist() == np.repeat(plain.paths, 2).tolist()
    assert not np.array_equal(viewed.values[::2], viewed.values[1::2])


def test_an_interrupted_extraction_goes_on_where_it_was(
    weights: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_embeddings, "_PART", 10)
    made, part = [], extract_embeddings._part

    def interrupted(rows, *others):
        made.append(len(rows))
        if len(made) == 3:
            raise KeyboardInterrupt
        return part(rows, *others)

    monkeypatch.setattr(extract_embeddings, "_part", interrupted)
    given = ["--dataset", dataset, "--siglip_model", BASE]
    result = run("extract_embeddings", *given, "--output_dir", tmp_path / "e")
    assert result.exit_code == 3
    assert not (tmp_path / "e" / "embeddings.npy").exists()
    done("extract_embeddings", *given, "--output_dir", tmp_path / "e")
    total = (SOURCES + 1) * 2 * IMAGES
    assert sum(made) == total + 10
    assert not (tmp_path / "e" / "parts").exists()
    done("extract_embeddings", *given, "--output_dir", tmp_path / "whole")
    assert np.array_equal(np.load(tmp_path / "e" / "embeddings.npy"), np.load(tmp_path / "whole" / "embeddings.npy"))


def test_it_learns_what_is_there_and_nothing_where_there_is_nothing() -> None:
    plan = MlpPlan(epochs=15, hidden=(32, 8), patience=5)
    for shift, low, high in ((6.0, 0.95, 1.0), (0.0, 0.25, 0.75)):
        training, validation = divide(labelled(shift=shift), 0.2, 0)
        assert not set(training.sources) & set(validation.sources)
        found = train_mlp(training, validation, plan, "cpu", Console(quiet=True))
        assert low <= found.auc <= high


def test_the_same_seed_gives_the_same_classifier() -> None:
    states = []
    for seed in (0, 0, 1):
        training, validation = divide(labelled(shift=2.0), 0.2, 0)
        plan = MlpPlan(epochs=2, hidden=(8,), seed=seed)
        states.append(train_mlp(training, validation, plan, "cpu", Console(quiet=True)).state["classifier.0.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_early_stopping_ends_it_and_keeps_the_best_epoch() -> None:
    told = io.StringIO()
    training, validation = divide(labelled(shift=8.0), 0.2, 0)
    plan = MlpPlan(epochs=200, hidden=(16,), patience=2, learning_rate=0.02)
    found = train_mlp(training, validation, plan, "cpu", Console(file=told, width=200))
    assert len(told.getvalue().splitlines()) == found.epoch + 2 < 200


def test_the_focal_loss_is_its_formula_and_without_gamma_the_cross_entropy() -> None:
    logits, labels = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])
    right = torch.where(labels == 1, torch.sigmoid(logits), 1 - torch.sigmoid(logits))
    found = loss_of(logits, labels, MlpPlan(loss="focal", focal_gamma=2.0))
    torch.testing.assert_close(found, -((1 - right) ** 2) * right.log())
    plain = loss_of(logits, labels, MlpPlan())
    torch.testing.assert_close(loss_of(logits, labels, MlpPlan(loss="focal", focal_gamma=0.0)), plain)
    torch.testing.assert_close(plain, -right.log())


def test_the_val_split_is_watched_and_test_is_not_looked_at() -> None:
    given = labelled(60)
    splits = np.array(["train"] * 30 + ["val"] * 20 + ["test"] * 10)
    given = Embeddings(given.values, given.labels, given.paths, splits, given.sources, given.origin)
    training, validation = divide(given, 0.1, 0)
    assert (set(training.splits.tolist()), set(validation.splits.tolist())) == ({"train"}, {"val"})


def test_few_sources_are_divided_as_well_as_they_can_be() -> None:
    for count, sides in ((60, 2), (20, 1)):
        given = labelled(count)
        if sides == 1:
            with pytest.raises(DatasetError, match="enough sources to hold some out"):
                divide(given, 0.1, 0)
            continue
        training, validation = divide(given, 0.1, 0)
        assert len(training.labels) + len(validation.labels) == count


def test_hard_mining_writes_what_is_scored_wrongly_or_between_the_thresholds(weights: Path, tmp_path: Path) -> None:
    given = labelled(shift=2.5)
    splits = np.array(["train"] * 300 + ["test"] * 100)
    given = Embeddings(given.values, given.labels, given.paths, splits, given.sources, given.origin)
    write_embeddings(tmp_path / "all", given)
    path, found = tmp_path / "c.pth", tmp_path / "hard"
    places = ["--embeddings_dir", tmp_path / "all"]
    done("train", *places, "--output_path", path, "--epochs", 10, "--lr", 0.01)
    output = done("hard_mining", "--model_path", path, *places, "--output_dir", found)
    mined = read_embeddings([found])
    assert f"Wrote {len(mined.labels)} of 300 embeddings" in output
    assert 0 < len(mined.labels) < 300
    assert set(mined.splits.tolist()) == {"train"}
    with (found / "images.csv").open() as file:
        assert [row["filepath"] for row in csv.DictReader(file)] == mined.paths.tolist()
    both = read_embeddings([tmp_path / "all", found])
    assert len(both.labels) == 400 + len(mined.labels)
    training, validation = divide(both, 0.2, 0)
    assert not set(training.paths) & set(validation.paths), "a hard image that is counted twice stays on one side"
    done("train", *places, "--embeddings_dir", found, "--output_path", tmp_path / "again.pth", "--epochs", 1)


def test_measures_and_hard_ones_by_hand() -> None:
    scores, labels = np.array([0.9, 0.6, 0.2, 0.4, 0.1]), np.array([1, 0, 1, 0, 0])
    found = measures(scores, labels, 0.5)
    assert (found["accuracy"], found["precision"], found["recall"]) == (0.6, 0.5, 0.5)
    assert found["false positives"] == pytest.approx(1 / 3)
    assert found["AUC"] == pytest.approx(4 / 6)
    assert hard(scores, labels, 0.3, 0.7).tolist() == [False, True, True, True, False]
    assert np.isnan(measures(scores[:1], labels[:1], 0.5)["AUC"])


def test_folders_of_other_tools_are_read_without_what_they_could_not_embed(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 4))
    values[2] = 0
    np.save(tmp_path / "embeddings.npy", values)
    np.save(tmp_path / "labels.npy", np.array([0, 1, 0, 1, 0, 1], dtype=np.int32))
    found = read_embeddings([tmp_path])
    assert found.labels.tolist() == [0, 1, 1, 0, 1]
    assert found.origin.weights == ""
    output = told("train", "--embeddings_dir", tmp_path, "--install", "--output_path", tmp_path / "c.pth")
    assert "--install needs embeddings by installed weights" in output


def test_what_cannot_be_is_a_sentence(weights: Path, tmp_path: Path, folders: tuple[Path, Path]) -> None:
    real, _ = folders
    write_embeddings(tmp_path / "e", labelled(40))
    embeddings = ["--embeddings_dir", tmp_path / "e"]
    out = ["--output_dir", tmp_path / "out"]
    assert "Name both" in told("extract_embeddings", "--real_images_dir", real, *out)
    none = ["--real_images_dir", real, "--ai_images_dir", tmp_path / "none"]
    assert "There is no folder" in told("extract_embeddings", *none, *out)
    (tmp_path / "empty").mkdir()
    none[-1] = tmp_path / "empty"
    assert "holds no images" in told("extract_embeddings", *none, *out)
    none[-1] = real
    assert "pull siglip2-so400m" in told("extract_embeddings", *none, *out)
    assert "holds no embeddings.npy" in told("train", "--embeddings_dir", tmp_path / "none")
    assert "choose bce or focal" in told("train", *embeddings, "--loss", "hinge")
    assert "write sizes separated by commas" in told("train", *embeddings, "--hidden_dims", "many")
    assert "must end in one of" in told("train", *embeddings, "--output_path", tmp_path / "c.onnx")
    assert "There is no classifier" in told("evaluate", *embeddings, "--model_path", tmp_path / "none.pth")
    np.save(tmp_path / "e" / "labels.npy", np.zeros(3))
    assert "rows for 3 labels" in told("train", *embeddings)


def test_embeddings_of_different_encoders_are_not_mixed(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "a", labelled(20))
    save_siglip(tmp_path / "model")
    write_embeddings(tmp_path / "b", labelled(20, width=8))
    assert "different encoders" in told("train", "--embeddings_dir", tmp_path / "a", "--embeddings_dir", tmp_path / "b")


def test_the_most_images_of_a_folder_are_drawn_by_the_seed(folders: tuple[Path, Path]) -> None:
    rows = [extract_embeddings.rows_of_folders(*folders, 3, 5, seed) for seed in (0, 0, 1)]
    assert [row.label for row in rows[0]] == [0] * 3 + [1] * 5
    assert rows[0] == rows[1] != rows[2]
