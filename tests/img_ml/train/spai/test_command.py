"""The commands from one end to the other: a backbone, a network on it, its figures and its scores."""

import csv
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from forensics.reading.decode import decode
from forensics.registry import Setup, get
from forensics.types import Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.train.spai.command import _name_of_map, app
from img_ml.train.spai.scoring import figures, interval


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    return tmp_path


def called(*words: object, code: int = 0) -> Result:
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == code, found.output
    return found


def test_a_backbone_is_pretrained_a_network_trained_on_it_installed_measured_and_used(
    home: Path, settings: Path, dataset: Path
) -> None:
    common = ("--cfg", settings, "--data-path", dataset, "--output", home / "train", "--tag", "tiny")
    backbone = called("pretrain", *common, "--batch-size", 4).stdout.strip()
    assert Path(backbone) == home / "train" / "pretrain" / "tiny" / "ckpt_epoch_1.pth"
    options = ("--opt", "TRAIN.EPOCHS", "2", "--opt", "MODEL.FEATURE_EXTRACTION_BATCH", "3", "--save-all")
    rest = ("--accumulation-steps", 2, "--amp-opt-level", "O0", "--data-workers", 0)
    model = called("train", *common, "--pretrained", backbone, *rest, *options).stdout.strip()
    folder = home / "train" / "finetune" / "tiny"
    assert {path.name for path in folder.glob("*.pth")} == {"ckpt_epoch_1.pth", "ckpt_epoch_2.pth"}
    assert torch.load(model, weights_only=True)["config"]["TRAIN"]["ACCUMULATION_STEPS"] == 2

    called("test", "--test-csv", dataset, "--model", model, "--output", home / "test", "--split", "val")
    told = json.loads((home / "test" / "test" / "dataset.json").read_text())
    assert told["images"] == 4
    assert told["auc_images_low"] <= told["auc"] <= told["auc_images_high"]

    (dataset.parent / "broken.png").write_bytes(b"no image")
    try:
        called("infer", "--input", dataset.parent, "--output", home / "scores", "--heatmaps", code=3)
    finally:
        (dataset.parent / "broken.png").unlink()
    with (home / "scores" / f"{dataset.parent.name}.csv").open(newline="") as file:
        rows = {Path(row["filepath"]).name: row for row in csv.DictReader(file)}
    assert rows["broken.png"]["problem"]
    assert not rows["broken.png"]["spai"]
    assert len(list((home / "scores").glob("*.spai.png"))) == len(rows) - 1

    listed = dataset.parent / "listed.csv"
    listed.write_text("image\n2-1-0.png\n")
    called("infer", "--input", listed, "--output", home / "scores")
    with (home / "scores" / "listed.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["spai"] == rows["2-1-0.png"]["spai"]

    entry = get("spai")
    assert entry.load is not None
    (signal,) = entry.load(Setup(home / "weights"))([decode((dataset.parent / "2-1-0.png").read_bytes())])
    assert isinstance(signal, Measured)
    assert signal.numbers["spai_prob"] == pytest.approx(float(rows["2-1-0.png"]["spai"]), abs=1e-5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--opt", "TRAIN.EPOCH", "2"), "Did you mean TRAIN.EPOCHS"),
        (("--cfg", "large"), "There is no file large"),
        (("--pretrained", "nowhere.pth"), "nowhere.pth"),
        (("--amp-opt-level", "O3"), "AMP_OPT_LEVEL is 'O3'"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    home: Path, settings: Path, dataset: Path, pretrained: Path, words: tuple[str, ...], told: str
) -> None:
    common = ("--cfg", settings, "--data-path", dataset, "--pretrained", pretrained, "--output", home)
    found = called("train", *common, *words, code=2)
    assert told in " ".join(found.stderr.split())
    assert "Traceback" not in found.output


def test_without_weights_the_commands_say_how_to_get_some(home: Path, dataset: Path) -> None:
    assert "img_ml.weights pull spai" in called("test", "--test-csv", dataset, code=2).stderr
    assert "no images" in called("infer", "--input", home, "--output", home, code=2).stderr


def test_a_list_of_images_is_not_overwritten_by_their_scores(tmp_path: Path) -> None:
    listed = tmp_path / "photos.csv"
    listed.write_text("image\na.png\n")
    assert "over the input" in called("infer", "--input", listed, "--output", tmp_path, code=2).stderr
    assert listed.read_text() == "image\na.png\n"


def test_maps_of_images_with_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    first, second, third = tmp_path / "a" / "1.png", tmp_path / "b" / "1.png", tmp_path / "b" / "1.jpg"
    names = {_name_of_map(path, tmp_path) for path in (first, second, third)}
    assert names == {Path("a/1.png.spai.png"), Path("b/1.png.spai.png"), Path("b/1.jpg.spai.png")}
    outside = tmp_path / ".." / "1.png"
    assert _name_of_map(outside, tmp_path / "list.csv") == Path("1.png.spai.png")


def test_figures_and_their_interval() -> None:
    labels, sure = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]
    told = figures(labels, sure)
    assert told["auc"] == 0.75
    assert told["accuracy"] == 0.5
    low, high = interval(labels * 25, sure * 25, [str(number) for number in range(100)])
    assert 0.6 < low < 0.75 < high < 0.9
    assert figures([1, 1], [0.2, 0.3])["auc"] != figures([1, 1], [0.2, 0.3])["auc"]
