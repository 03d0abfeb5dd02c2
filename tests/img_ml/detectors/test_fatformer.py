"""FatFormer: a checkpoint as the authors save it is adopted, loads whole or not at all, and gives its probability."""

import argparse
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from forensics.errors import WeightsError
from forensics.registry import Setup
from forensics.types import Measured
from img_ml.detectors._torch import TorchDetector
from img_ml.detectors.fatformer import load
from img_ml.weights.__main__ import app
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.tiny import tiny_fatformer, write_fatformer

Tensors = dict[str, torch.Tensor]


def put(weights: Path, tensors: Tensors) -> None:
    def fill(folder: Path) -> str:
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / "model.safetensors")
        return ""

    install(find("fatformer"), weights, "tiny", fill)


def test_the_authors_checkpoint_is_adopted_and_gives_the_probability_of_fake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import transforms

    network = tiny_fatformer()
    checkpoint = {"model": network.state_dict(), "epoch": 9, "args": argparse.Namespace(num_vit_adapter=8)}
    torch.save(checkpoint, tmp_path / "fatformer_4class_ckpt.pth")
    monkeypatch.setenv("IMG_ML_WEIGHTS_DIR", str(tmp_path / "weights"))
    result = CliRunner().invoke(app, ["pull", "fatformer", "--from", str(tmp_path / "fatformer_4class_ckpt.pth")])
    assert result.exit_code == 0, result.output
    (signal,) = load(Setup(tmp_path / "weights", tier="full"))([sample_of(photo())])
    road = transforms.Compose(
        [
            transforms.Resize((256, 256)),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    with torch.inference_mode():
        expected = network(road(Image.fromarray(photo()))[None]).softmax(dim=1)[0, 1]
    assert isinstance(signal, Measured)
    assert signal.numbers["fatformer_prob"] == pytest.approx(float(expected), abs=1e-5)


def test_the_larger_logit_of_fake_is_the_larger_probability(tmp_path: Path) -> None:
    write_fatformer(tmp_path / "one")
    tensors = load_file(tmp_path / "one" / "fatformer" / "model.safetensors")
    for name in ("token_prefix", "token_suffix"):
        tensors[f"language_guided_alignment.{name}"] = tensors[f"language_guided_alignment.{name}"].flip(0)
    put(tmp_path / "swapped", tensors)
    found = []
    for folder in ("one", "swapped"):
        (signal,) = load(Setup(tmp_path / folder, tier="full"))([sample_of(photo())])
        assert isinstance(signal, Measured)
        found.append(signal.numbers["fatformer_prob"])
    assert sum(found) == pytest.approx(1, abs=1e-5)
    assert abs(found[0] - 0.5) > 0.01


def test_a_checkpoint_in_half_precision_loads(tmp_path: Path) -> None:
    write_fatformer(tmp_path / "whole")
    tensors = load_file(tmp_path / "whole" / "fatformer" / "model.safetensors")
    put(tmp_path / "half", {name: tensor.half() for name, tensor in tensors.items()})
    numbers = []
    for folder in ("whole", "half"):
        (signal,) = load(Setup(tmp_path / folder, tier="full"))([sample_of(photo())])
        assert isinstance(signal, Measured)
        numbers.append(signal.numbers["fatformer_prob"])
    assert numbers[0] == pytest.approx(numbers[1], abs=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm2.bias": None}, r"fatformer lacks the tensor norm2\.bias"),
        ({"head.weight": torch.zeros(2)}, r"has the tensor head\.weight, which is none of this network's"),
        ({"norm2.bias": torch.zeros(2)}, r"norm2\.bias of fatformer has the shape \(2,\), not \(192,\)"),
        ({"clip_model.visual.conv1.weight": torch.zeros(128, 3, 14, 14)}, "takes images of 56 pixels, not of 224"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    write_fatformer(tmp_path / "whole")
    tensors = {**load_file(tmp_path / "whole" / "fatformer" / "model.safetensors"), **change}
    put(tmp_path / "changed", {name: tensor for name, tensor in tensors.items() if tensor is not None})
    with pytest.raises(WeightsError, match=message):
        load(Setup(tmp_path / "changed", tier="full"))


def test_tensors_with_two_names_are_held_once(tmp_path: Path) -> None:
    write_fatformer(tmp_path)
    detector = load(Setup(tmp_path, tier="full"))
    assert isinstance(detector, TorchDetector)
    network = detector._parts.core
    assert isinstance(network, torch.nn.Module)
    held = sum({tensor.data_ptr(): tensor.numel() for tensor in network.state_dict().values()}.values())
    # The few that two modules name themselves, the projection of texts above all, may be there twice.
    assert held < 1.1 * sum(tensor.numel() for tensor in tiny_fatformer().parameters())
