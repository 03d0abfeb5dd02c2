"""Training the two ResNet-18 by their commands: what they start from, and that their detectors load what comes out."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from forensics.errors import WeightsError
from forensics.registry import Setup, get
from forensics.types import Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.data.dataset import read_rows
from img_ml.data.high_frequencies import REACH, high_frequencies
from img_ml.train.__main__ import app
from img_ml.train.examples import high_frequencies_of, native_crops_of, resized_to
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import sample_of
from tests.img_ml.tiny import write_resnet
from tests.img_ml.train.conftest import picture


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    return tmp_path / "weights"


def train(name: str, dataset: Path, checkpoint: Path, **options: object) -> Result:
    given = {"batch": 4, "check-every": 4, "threads": 1, "checkpoint": checkpoint, "dataset": dataset, **options}
    arguments = [text for option, value in given.items() for text in (f"--{option}", str(value))]
    return CliRunner().invoke(app, [name, *arguments])


def test_high_frequencies_are_learned_and_the_detector_loads_them(dataset: Path, weights: Path) -> None:
    kept = weights.parent / "kept.safetensors"
    result = train(
        "resnet_hf", dataset, kept, width=8, steps=36, batch=8, **{"learning-rate": 0.004, "check-every": 12}
    )
    assert result.exit_code == 0, result.output
    assert "Training from scratch, at width 8." in result.output
    config = json.loads((weights / "resnet_hf" / "config.json").read_text())
    assert (config["width"], config["start"]) == (8, "scratch")
    load = get("resnet_hf").load
    assert load is not None
    detector = load(Setup(weights, options={"votes": "3"}))
    signals = detector([sample_of(np.asarray(picture(9000 + n, smooth=n < 4))) for n in range(8)])
    scores = [signal.numbers["resnet_hf_prob"] for signal in signals if isinstance(signal, Measured)]
    assert min(scores[:4]) > max(scores[4:])


def test_whole_pictures_are_learned_from_and_the_detector_loads_them(dataset: Path, weights: Path) -> None:
    result = train("resnet_ft", dataset, weights.parent / "kept.safetensors", width=4, steps=4)
    assert result.exit_code == 0, result.output
    load = get("resnet_ft").load
    assert load is not None
    (signal,) = load(Setup(weights))([sample_of(np.asarray(picture(1, smooth=True)))])
    assert isinstance(signal, Measured)


def published(weights: Path, width: int) -> dict[str, torch.Tensor]:
    """A ResNet-18 of a thousand classes, installed as the published one is."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(3)
    widths = [width, 2 * width, 4 * width, 8 * width]
    config = ResNetConfig(embedding_size=width, hidden_sizes=widths, depths=[2, 2, 2, 2], layer_type="basic")
    config.num_labels = 1000

    def fill(folder: Path) -> str:
        ResNetForImageClassification(config).save_pretrained(folder)
        return ""

    install(find("resnet-18"), weights, "tiny", fill)
    return load_file(weights / "resnet-18" / "model.safetensors")


def test_a_published_network_is_started_from_where_it_is_installed(dataset: Path, weights: Path) -> None:
    published(weights, 64)
    result = train("resnet_hf", dataset, weights.parent / "kept", steps=1, batch=2, **{"learning-rate": 0})
    assert result.exit_code == 0, result.output
    assert "Starting from resnet-18." in result.output
    assert json.loads((weights / "resnet_hf" / "config.json").read_text())["start"] == "resnet-18"
    training = load_file(weights / "resnet_hf" / "model.safetensors")
    name = "resnet.encoder.stages.3.layers.1.layer.0.convolution.weight"
    assert torch.equal(training[f"network.{name}"], load_file(weights / "resnet-18" / "model.safetensors")[name])


def test_a_network_of_another_width_is_not_started_from(dataset: Path, weights: Path) -> None:
    published(weights, 4)
    result = train("resnet_ft", dataset, weights.parent / "kept", start="resnet-18", width=8)
    assert result.exit_code == 2
    assert "Training cannot start from resnet-18" in result.output
    missing = train("resnet_ft", dataset, weights.parent / "kept", start="ai_art_resnet")
    assert missing.exit_code == 2
    assert "python -m img_ml.weights pull ai_art_resnet" in missing.output
    unknown = train("resnet_ft", dataset, weights.parent / "kept", start="vgg")
    assert "There is no start 'vgg'" in unknown.output


def test_pictures_are_squashed_whole_and_learned_from_in_parts(dataset: Path) -> None:
    row = read_rows(dataset)[0]
    shown = resized_to(64)
    views = [shown(row, index, 5) for index in range(4)]
    assert {view.shape for view in views} == {(64, 64, 3)}
    assert np.array_equal(views[3], shown(row, 3, 5))
    assert len({view.tobytes() for view in views}) == 4


def test_high_frequencies_are_what_a_blur_takes_away() -> None:
    flat = np.broadcast_to(np.arange(50, 130, dtype=np.uint8)[:, None, None], (80, 60, 3))
    assert np.abs(high_frequencies(flat)[12:-12]).max() <= 1
    grain = np.random.default_rng(0).integers(-20, 21, flat.shape)
    found = high_frequencies((flat + grain).astype(np.uint8))
    assert np.corrcoef(found.ravel(), grain.ravel())[0, 1] > 0.9


def test_training_sees_the_high_frequencies_that_the_detector_sees(dataset: Path) -> None:
    row = read_rows(dataset)[0]
    shown = high_frequencies_of(16)(row, 3, 5)
    around = native_crops_of(16 + 2 * REACH)(row, 3, 5)
    assert shown.shape == (16, 16, 3)
    # Reaching further changes nothing: the blur ends before the margin does.
    assert np.array_equal(shown, high_frequencies(around.astype(np.uint8))[REACH:-REACH, REACH:-REACH])
    one = np.zeros((61, 61, 3), dtype=np.uint8)
    one[30, 30] = 255
    reach = np.argwhere(high_frequencies(one)[..., 0])
    assert np.abs(reach - 30).max() <= REACH


def test_weights_of_the_earlier_high_frequencies_are_refused(weights: Path) -> None:
    write_resnet(weights, "resnet_hf", config={"width": 4, "start": "scratch"})
    load = get("resnet_hf").load
    assert load is not None
    with pytest.raises(WeightsError, match=r"train it again with python -m img_ml\.train resnet_hf"):
        load(Setup(weights))
