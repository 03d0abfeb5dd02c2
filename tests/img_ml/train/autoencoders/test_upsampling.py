"""Training an upsampling autoencoder: on real images of train alone, and the same when it was interrupted."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from img_ml.data.dataset import DatasetError, Row, read_rows
from img_ml.networks.autoencoders.upsampling import CONFIG, TENSORS, load_upsampling_autoencoder
from img_ml.train.__main__ import app
from img_ml.train.autoencoders.upsampling import divide_real, patches_of
from img_ml.train.loop import Loop

SMALL = ["--width", 8, "--side", 32, "--batch", 2, "--threads", 1, "--check-every", 2, "--latents", 16]


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")


def train(dataset: Path, out: Path, *arguments: object) -> Result:
    given = ["upsampling_autoencoder", "--dataset", dataset, "--out", out, *SMALL, *arguments]
    return CliRunner().invoke(app, list(map(str, given)))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--kind", "nearest"], "nearest-f4"),
        (["--kind", "vq", "--factor", 8], "nearest-vq-f8"),
        (["--kind", "shuffle", "--adversarial"], "shuffle-f4-adv"),
    ],
)
def test_a_kind_is_trained_into_a_folder_of_its_own(
    dataset: Path, tmp_path: Path, arguments: list[object], name: str
) -> None:
    result = train(dataset, tmp_path, *arguments, "--steps", 4)
    assert result.exit_code == 0, result.output
    assert "dB on real images of held-out sources" in result.stderr
    assert load_upsampling_autoencoder(tmp_path / name).design.name == name
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [CONFIG, TENSORS]


def test_an_interrupted_training_comes_to_the_same(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert train(dataset, whole, "--steps", 6, "--adversarial").exit_code == 0
    step = Loop._step
    calls: list[int] = []

    def interrupted(*arguments: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Loop, "_step", interrupted)
    assert train(dataset, torn, "--steps", 6, "--adversarial").exit_code == 3
    result = train(dataset, torn, "--steps", 6, "--adversarial")
    assert result.exit_code == 0, result.output
    assert "Resuming after step 2" in result.stderr
    first, second = (load_file(folder / "nearest-f4-adv" / TENSORS) for folder in (whole, torn))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_training_that_is_done_is_not_done_again(dataset: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path, "--steps", 2)
    before = (tmp_path / "nearest-f4" / TENSORS).stat().st_mtime_ns
    result = train(dataset, tmp_path, "--steps", 2)
    assert result.exit_code == 0
    assert "already" in result.stderr
    assert (tmp_path / "nearest-f4" / TENSORS).stat().st_mtime_ns == before
    assert "already" not in train(dataset, tmp_path, "--steps", 3).stderr


def test_another_kind_begins_with_what_one_learned(dataset: Path, tmp_path: Path) -> None:
    train(dataset, tmp_path, "--steps", 2)
    result = train(dataset, tmp_path, "--steps", 2, "--kind", "transposed", "--begin-with", tmp_path / "nearest-f4")
    assert result.exit_code == 0, result.output
    assert "It begins with" in result.stderr


def test_training_makes_the_reconstructions_better(dataset: Path, tmp_path: Path) -> None:
    reached = []
    for steps in (1, 40):
        train(dataset, tmp_path / str(steps), "--steps", steps, "--learning-rate", 3e-3)
        reached.append(json.loads((tmp_path / str(steps) / "nearest-f4" / CONFIG).read_text())["psnr"])
    assert reached[1] > reached[0] + 3


def test_only_real_images_of_train_take_part(dataset: Path) -> None:
    division = divide_real(read_rows(dataset), 0)
    taken = (*division.training, *division.validation)
    assert {(row.kind, row.split) for row in taken} == {("real", "train")}
    assert not {row.source for row in division.training} & {row.source for row in division.validation}


def test_a_single_source_is_refused() -> None:
    with pytest.raises(DatasetError, match="at least two sources"):
        divide_real([Row(Path("a.png"), 0, "train", "one", "real")] * 3, 0)


def test_patches_show_pixels_as_they_stand_in_the_file(dataset: Path) -> None:
    row = next(row for row in read_rows(dataset) if row.split == "train")
    with Image.open(row.path) as image:
        places = np.lib.stride_tricks.sliding_window_view(np.asarray(image), (32, 32, 3))[:, :, 0]
    assert (places == patches_of(32)(row, 0, 0)).all(axis=(2, 3, 4)).any()


@pytest.mark.parametrize(
    "wrong",
    [["--factor", 3], ["--factor", 8, "--side", 36], ["--kind", "vq", "--latents", 6], ["--dataset", "none.csv"]],
)
def test_what_cannot_be_trained_is_told(dataset: Path, tmp_path: Path, wrong: list[object]) -> None:
    result = train(dataset, tmp_path, "--steps", 2, *wrong)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
