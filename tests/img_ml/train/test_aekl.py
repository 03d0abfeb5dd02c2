"""Training the autoencoder and the classifier over its differences, and what is refused when the two do not belong
together."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors.aekl import load
from img_ml.train.__main__ import app
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import TINY_AUTOENCODER, write_tiny_aekl

SMALL = ["--side", 32, "--width", 8, "--batch", 2, "--threads", 1]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "weights"


def train(command: str, dataset: Path, *arguments: object) -> Result:
    return CliRunner().invoke(app, [command, "--dataset", str(dataset), *map(str, arguments)])


def measured(folder: Path, **options: str) -> Measured:
    (signal,) = load(Setup(folder, options=options))([sample_of(photo()[:300, :400])])
    assert isinstance(signal, Measured)
    return signal


def test_autoencoder_then_classifier_are_loaded_together(dataset: Path, weights: Path) -> None:
    result = train("autoencoder", dataset, *SMALL, "--steps", 2, "--check-every", 1)
    assert result.exit_code == 0, result.output
    assert "dB on real images of held-out sources" in result.stderr
    alone = measured(weights)
    assert math.isnan(alone.numbers["aekl_prob"])
    assert alone.numbers["aekl_distance"] > 0
    small = ["--backbone", "resnet10t", "--side", 64, "--steps", 1, "--check-every", 1, "--batch", 2, "--threads", 1]
    result = train("aekl", dataset, *small)
    assert result.exit_code == 0, result.output
    config = json.loads((weights / "aekl" / "config.json").read_text())
    assert (config["backbone"], config["autoencoder"]) == ("resnet10t", "autoencoder")
    assert 0 <= measured(weights).numbers["aekl_prob"] <= 1
    assert config["side"] == 64
    # Another autoencoder in its place: the classifier never saw its differences.
    train("autoencoder", dataset, *SMALL, "--steps", 1, "--check-every", 1, "--seed", 1)
    with pytest.raises(WeightsError, match="trained with another autoencoder"):
        load(Setup(weights))


def test_a_folder_of_ones_own_becomes_the_autoencoder(dataset: Path, weights: Path, tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    AutoencoderKL(**TINY_AUTOENCODER).save_pretrained(tmp_path / "own")
    given = ["--autoencoder", tmp_path / "own", "--backbone", "resnet10t", "--side", 64, "--batch", 2, "--threads", 1]
    result = train("aekl", dataset, *given, "--steps", 1, "--check-every", 1)
    assert result.exit_code == 0, result.output
    assert measured(weights).numbers["aekl_prob"] > 0
    (tmp_path / "own" / "config.json").unlink()
    refused = train("aekl", dataset, *given)
    assert refused.exit_code == 2
    assert "holds no config.json" in refused.stderr


def test_an_interrupted_autoencoder_goes_on_to_the_same_result(
    dataset: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import signal

    from img_ml.train.loop import Loop

    def run() -> Result:
        return train("autoencoder", dataset, *SMALL, "--steps", 4, "--check-every", 2)

    def tensors() -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        return load_file(weights / "autoencoder" / "diffusion_pytorch_model.safetensors")

    assert run().exit_code == 0
    whole, step = tensors(), Loop._step

    def interrupted(loop: Loop, number: int, batch: object) -> torch.Tensor:
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(loop, number, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_step", interrupted)
        assert run().exit_code == 3
    result = run()
    assert "Resuming after step 3." in result.stderr
    for name, value in tensors().items():
        assert torch.equal(value, whole[name]), name


def test_votes_look_at_more_crops_and_belong_to_the_mark(tmp_path: Path) -> None:
    write_tiny_aekl(tmp_path)
    one, several = measured(tmp_path), measured(tmp_path, votes="5")
    assert one.numbers["aekl_distance"] != several.numbers["aekl_distance"]
    marks = {load(Setup(tmp_path, options=given)).weights_sha256 for given in ({}, {"votes": "5"})}
    assert len(marks) == 2


def test_the_map_has_the_pictures_shape_and_is_brighter_where_it_comes_back_well(tmp_path: Path) -> None:
    write_tiny_aekl(tmp_path)
    heatmap = measured(tmp_path).heatmap
    assert heatmap is not None
    assert heatmap.shape == (48, 64)


def test_the_profile_may_name_an_autoencoder_and_nothing_else(tmp_path: Path) -> None:
    write_tiny_aekl(tmp_path)
    measured(tmp_path, weights="sd-vae-ft-ema")
    with pytest.raises(WeightsError, match="autoencoder is not installed"):
        measured(tmp_path, weights="autoencoder")
    with pytest.raises(WeightsError, match="dinov2-base is not an autoencoder"):
        measured(tmp_path, weights="dinov2-base")
    shutil.rmtree(tmp_path / "sd-vae-ft-ema")
    with pytest.raises(WeightsError, match="sd-vae-ft-ema is not installed"):
        measured(tmp_path)


@pytest.mark.parametrize(
    ("command", "given", "sentence"),
    [
        ("aekl", ["--backbone", "vgg16"], "no backbone 'vgg16'"),
        ("aekl", [], "No autoencoder is installed"),
        ("aekl", ["--side", 90], "--side is 90"),
        ("autoencoder", ["--side", 100], "--side is 100"),
        ("autoencoder", ["--width", 4], "--width is 4"),
    ],
)
def test_what_cannot_be_trained_is_told(
    dataset: Path, weights: Path, command: str, given: list[object], sentence: str
) -> None:
    result = train(command, dataset, *given)
    assert result.exit_code == 2
    assert sentence in result.stderr
