"""Labels for a folder: the contest's format, the order of the files, what is bad, and what is not trained."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import expit, logit
from typer.testing import CliRunner, Result

from scripts.predict import app
from tests.img_ml.tiny import TINY


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    for name in ("resnet_ft", "resnet_hf", "sdxl_detector"):
        TINY[name](folder)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (10, 2, 1):
        pixels = np.random.default_rng(number).integers(0, 256, (100 + number, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no image")
    # What macOS lays beside each file on a foreign disk: counted, it would shift the labels.
    (folder / "._1.png").write_bytes(b"\x00\x05\x16\x07")
    return folder


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")


def run(folder: Path, name: str, *arguments: object) -> Result:
    out = folder.parent / "out" / "result.txt"
    return CliRunner().invoke(app, [str(folder), "--app", name, "--out", str(out), *map(str, arguments)])


def rows(result: Result) -> dict[str, dict[str, str]]:
    header, *lines = (line.split("\t") for line in result.stdout.splitlines())
    return {line[0]: dict(zip(header, line, strict=False)) for line in lines}


@pytest.mark.parametrize("name", ["resnet_ft", "resnet_hf", "sdxl_detector"])
def test_each_line_is_a_label_in_the_order_of_the_numbers(images: Path, name: str) -> None:
    result = run(images, name, "--votes", 3)
    assert result.exit_code == 0, result.output
    found = rows(result)
    assert list(found) == ["1.png", "2.png", "10.png"]
    labels = (images.parent / "out" / "result.txt").read_text().splitlines()
    assert labels == [row["label"] for row in found.values()]
    assert labels == [str(int(float(row["probability"]) >= 0.5)) for row in found.values()]


def test_the_threshold_decides(images: Path) -> None:
    for threshold, label in ((0, "1"), (1, "0")):
        run(images, "resnet_hf", "--threshold", threshold)
        assert (images.parent / "out" / "result.txt").read_text() == f"{label}\n" * 3


def test_the_ensemble_averages_the_logits_of_its_members(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("img_ml.ensemble.APPS", {"ensembled": ("resnet_ft", "resnet_hf")})
    result = run(images, "ensembled", "--votes", 2)
    assert result.exit_code == 0, result.output
    for row in rows(result).values():
        members = [float(row[name]) for name in ("resnet_ft", "resnet_hf")]
        assert float(row["probability"]) == pytest.approx(float(expit(np.mean(logit(members)))), abs=2e-4)


def test_labels_of_views_and_members_are_counted_as_the_contest_does(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img_ml.ensemble.APPS", {"ensembled": ("resnet_ft", "resnet_hf")})
    result = run(images, "ensembled", "--votes", 5, "--flips", "both", "--combine", "majority")
    assert result.exit_code == 0, result.output
    for row in rows(result).values():
        members = [float(row[name]) for name in ("resnet_ft", "resnet_hf")]
        assert all(share * 5 == pytest.approx(round(share * 5), abs=1e-3) for share in members)
        assert float(row["probability"]) == np.mean([share > 0.5 for share in members])
        assert row["label"] == str(int(float(row["probability"]) > 0.5)), "a tie is no majority"


@pytest.mark.parametrize("known", ["text", "csv", "beside"])
def test_the_accuracy_is_told_where_labels_are_known(images: Path, known: str) -> None:
    run(images, "resnet_hf")
    found = (images.parent / "out" / "result.txt").read_text().split()
    wrong = [str(1 - int(found[0])), *found[1:]]
    place = images / "dataset.csv" if known == "beside" else images / f"truth.{'csv' if known == 'csv' else 'txt'}"
    lines = [f"{number}.png,{label},test" for number, label in zip((1, 2, 10), wrong, strict=True)]
    place.write_text("\n".join(wrong if known == "text" else ["filepath,label,split", *lines]))
    told = run(images, "resnet_hf", *(() if known == "beside" else ("--truth", place)))
    assert told.exit_code == 0, told.output
    assert "Accuracy 66.66667%: 2 of 3 labels" in told.stderr


def test_known_labels_of_other_images_are_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.txt").write_text("1\n0\n")
    told = run(images, "resnet_hf", "--truth", tmp_path / "truth.txt")
    assert told.exit_code == 2
    assert "does not hold one label, 0 or 1, for each of the 3 images" in told.stderr


def test_votes_are_the_same_every_time_and_differ_from_one(images: Path) -> None:
    one, seven, again = (run(images, "resnet_hf", "--votes", votes).stdout for votes in (1, 7, 7))
    assert seven == again
    assert one != seven


def test_an_image_that_cannot_be_read_keeps_its_line(images: Path) -> None:
    (images / "5.jpg").write_bytes(b"broken")
    result = run(images, "resnet_hf")
    assert result.exit_code == 3
    assert "5.jpg" in result.stderr
    assert (images.parent / "out" / "result.txt").read_text().splitlines()[2] == "-1"


def test_what_is_not_trained_is_told_with_the_command(images: Path) -> None:
    result = run(images, "ghostnet")
    assert result.exit_code == 2
    assert "python -m img_ml.train ghostnet --dataset dataset.csv" in result.stderr
    assert not (images.parent / "out").exists()


@pytest.mark.parametrize("name", ["resnext", "ela", "dino"])
def test_an_unknown_app_is_told_with_those_there_are(images: Path, name: str) -> None:
    result = run(images, name)
    assert result.exit_code == 2
    assert "choose aekl, aekl_clf, ai_art_resnet, ai_image_detector, " in result.stderr


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    for folder, told in ((tmp_path, "holds no images"), (tmp_path / "none", "There is no folder")):
        result = run(folder, "resnet_hf")
        assert result.exit_code == 2
        assert told in result.stderr


def test_a_member_that_measures_no_image_is_told_with_the_command(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("img_ml.ensemble.Ensemble.probabilities", lambda _, samples: [(float("nan"),)] * len(samples))
    result = run(images, "resnet_hf")
    assert result.exit_code == 2
    assert "resnet_hf gave no image a probability" in result.stderr
    assert "python -m img_ml.train resnet_hf" in result.stderr
