"""Tiny random weights of every learned detector, in the layout of the published ones; the real code loads them.

A detector joins the contract test with one entry in TINY.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file

from forensics.registry import Detector
from img_ml.torch_detector import Precision, TorchDetector
from img_ml.weights.store import install
from img_ml.weights.table import IMAGENET_MEAN, IMAGENET_STD, find


def write_dino(weights: Path, name: str = "dinov2-base") -> None:
    """DINOv2 of 2 layers on crops of 56 pixels, as save_pretrained writes it."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(len(name))
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14
    )
    processor = {
        "crop_size": {"height": 56, "width": 56},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_processor_type": "BitImageProcessor",
        "image_std": IMAGENET_STD,
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 64},
    }

    def fill(folder: Path) -> str:
        Dinov2Model(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        return ""

    install(find(name), weights, "tiny", fill)


def write_mantranet(weights: Path) -> None:
    """ManTra-Net with its 16 first filters and a few channels after them."""
    from img_ml.networks.mantranet import MantraNet, Widths

    torch.manual_seed(0)
    network = MantraNet(Widths((5, 6, 4, 6, 5, 6, 4, 5, 6, 5, 6, 8), adapted=4, state=2))
    for layer in network.IMTFE.middle_and_last_block:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
    torch.nn.init.constant_(network.AnomalyDetector.sigma_F, 0.5)
    torch.nn.init.normal_(network.AnomalyDetector.end[0].weight, std=0.5)

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        return ""

    install(find("mantranet"), weights, "tiny", fill)


def write_ghostnet(weights: Path) -> None:
    """The smallest GhostNet of timm, as `python -m img_ml.train ghostnet` installs it."""
    from img_ml.networks.ghostnet import ResidualGhostNet

    torch.manual_seed(0)
    network = ResidualGhostNet("ghostnet_050")

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"backbone": "ghostnet_050"}))
        return ""

    install(find("ghostnet"), weights, "tiny", fill)


@contextmanager
def low_precision(detector: Detector, precision: Precision) -> Iterator[None]:
    """The loaded detector in another precision, for a while."""
    assert isinstance(detector, TorchDetector)
    before = detector.precision
    detector.precision = precision
    try:
        yield
    finally:
        detector.precision = before


TINY: Mapping[str, Callable[[Path], None]] = {
    "dino": write_dino,
    "ghostnet": write_ghostnet,
    "mantranet": write_mantranet,
}
