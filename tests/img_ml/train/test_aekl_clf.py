"""Training the classifier of latent images: the encoder learns slowly with it, and the detector loads both."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors.aekl_clf import load
from img_ml.networks.autoencoders.latent_classifier import of_architecture
from img_ml.train.__main__ import app
from img_ml.train.commands.aekl_clf import _SHARES
from img_ml.train.loop import adamw
from img_ml.train.plan import TrainingPlan
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import TINY, TINY_AUTOENCODER


def test_encoder_and_head_learn_and_the_detector_loads_them(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("IMG_ML_DEVICE", "cpu")
    monkeypatch.chdir(tmp_path)
    TINY["aekl"](weights)
    arguments = ["--dataset", str(dataset), "--steps", "2", "--check-every", "1", "--batch", "2", "--threads", "1"]
    result = CliRunner().invoke(app, ["aekl_clf", *arguments])
    assert result.exit_code == 0, result.output
    learned = load_file(weights / "aekl_clf" / "model.safetensors")
    started = load_file(weights / "sd-vae-ft-ema" / "diffusion_pytorch_model.safetensors")
    moved = [name for name in learned if name in started and not torch.equal(learned[name], started[name])]
    assert any(name.startswith("encoder.") for name in moved)
    assert json.loads((weights / "aekl_clf" / "config.json").read_text())["side"] == 256
    (signal,) = load(Setup(weights))([sample_of(photo()[:300, :400])])
    assert isinstance(signal, Measured)
    assert 0 <= signal.numbers["aekl_clf_prob"] <= 1


def test_the_encoder_learns_at_a_hundredth_of_the_rate_of_the_layers_over_it() -> None:
    network = of_architecture(dict(TINY_AUTOENCODER), 64)
    groups = adamw(network, TrainingPlan(rate_shares=_SHARES)).param_groups
    share = {id(parameter): group["share"] for group in groups for parameter in group["params"]}
    assert {share[id(parameter)] for parameter in network.encoder.parameters()} == {0.01}
    assert {share[id(parameter)] for parameter in network.quant_conv.parameters()} == {0.1}
    assert {share[id(parameter)] for parameter in network.clf.parameters()} == {1.0}


def test_a_configuration_of_another_thing_is_refused_in_a_sentence(tmp_path: Path) -> None:
    TINY["aekl_clf"](tmp_path)
    path = tmp_path / "aekl_clf" / "config.json"
    path.write_text(json.dumps({"side": 64, "autoencoder": json.dumps({"nonsense": 1})}))
    with pytest.raises(WeightsError, match="aekl_clf"):
        load(Setup(tmp_path))
