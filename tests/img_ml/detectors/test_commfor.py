"""Community Forensics: the published layout, the authors' preprocessing, and what does not fit told."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision import transforms

from forensics.errors import WeightsError
from forensics.registry import Setup, get
from forensics.types import ImageSample, Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.detectors._torch import TorchDetector
from img_ml.detectors.commfor import PREFIX, SHORTEST, architecture
from img_ml.weights.record import IMAGENET_MEAN, IMAGENET_STD
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.published_size import published_size, size_of
from tests.img_ml.tiny import unpinned, write_commfor

NAME = "commfor-384"


def published() -> dict[str, tuple[int, ...]]:
    """The tensors of the published checkpoint: 152 of them, 21,811,969 values in float32."""
    found: dict[str, tuple[int, ...]] = {
        "vit.cls_token": (1, 1, 384),
        "vit.pos_embed": (1, 24 * 24 + 1, 384),
        "vit.patch_embed.proj.weight": (384, 3, 16, 16),
        "vit.patch_embed.proj.bias": (384,),
        "vit.norm.weight": (384,),
        "vit.norm.bias": (384,),
        "vit.head.weight": (1, 384),
        "vit.head.bias": (1,),
    }
    for i in range(12):
        found |= {
            f"vit.blocks.{i}.norm1.weight": (384,),
            f"vit.blocks.{i}.norm1.bias": (384,),
            f"vit.blocks.{i}.attn.qkv.weight": (1152, 384),
            f"vit.blocks.{i}.attn.qkv.bias": (1152,),
            f"vit.blocks.{i}.attn.proj.weight": (384, 384),
            f"vit.blocks.{i}.attn.proj.bias": (384,),
            f"vit.blocks.{i}.norm2.weight": (384,),
            f"vit.blocks.{i}.norm2.bias": (384,),
            f"vit.blocks.{i}.mlp.fc1.weight": (1536, 384),
            f"vit.blocks.{i}.mlp.fc1.bias": (1536,),
            f"vit.blocks.{i}.mlp.fc2.weight": (384, 1536),
            f"vit.blocks.{i}.mlp.fc2.bias": (384,),
        }
    return found


def load(weights: Path) -> TorchDetector:
    load = get("commfor").load
    assert load is not None
    detector = load(Setup(weights))
    assert isinstance(detector, TorchDetector)
    return detector


def probability(detector: TorchDetector, sample: ImageSample) -> float:
    (signal,) = detector([sample])
    assert isinstance(signal, Measured)
    return signal.numbers["commfor_prob"]


def test_the_published_checkpoint_loads_key_for_key() -> None:
    with torch.device("meta"):
        state = architecture("small", 384).state_dict()
    layout = published()
    assert {PREFIX + name: tuple(value.shape) for name, value in state.items()} == layout
    assert len(layout) == 152
    assert sum(map(math.prod, layout.values())) == 21_811_969


def test_a_file_of_these_names_and_shapes_has_the_published_size() -> None:
    assert size_of(published()) == published_size(NAME)


def test_the_published_configuration_has_the_pinned_size_and_sum(tmp_path: Path) -> None:
    write_commfor(tmp_path)
    config = json.loads((tmp_path / NAME / "config.json").read_text())
    published_config = json.dumps({**config, "input_size": 384, "model_size": "small"}, indent=2)
    (file,) = (file for file in find(NAME).files if file.name == "config.json")
    assert len(published_config) == file.size
    assert hashlib.sha256(published_config.encode()).hexdigest() == file.sha256


@pytest.mark.parametrize("size", [(512, 400), (100, 90), (300, 1)], ids=str)
def test_the_probability_is_that_of_the_authors_way_in_float64(tmp_path: Path, size: tuple[int, int]) -> None:
    """torchvision's resize and crop, timm's network, the sigmoid of its one logit."""
    write_commfor(tmp_path)
    sample = sample_of(np.asarray(Image.fromarray(photo()).resize(size)))
    network = architecture("tiny", 224).double().eval()
    state = load_file(tmp_path / NAME / "model.safetensors")
    network.load_state_dict({name.removeprefix("vit."): value for name, value in state.items()})
    way = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    way.append(transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        logit = network(transforms.Compose(way)(Image.fromarray(sample.pixels))[None].double()).item()
    assert probability(load(tmp_path), sample) == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)


def test_the_published_network_resizes_to_440_and_crops_384() -> None:
    facts = find(NAME).preprocessing
    assert facts is not None
    assert (facts.shortest, facts.crop, facts.resample) == (SHORTEST[384], 384, "bilinear") == (440, 384, "bilinear")
    assert (facts.mean, facts.std) == (IMAGENET_MEAN, IMAGENET_STD)


def changed(weights: Path, config: dict[str, object], tensors: dict[str, torch.Tensor | None]) -> None:
    """The tiny weights with a changed configuration and changed tensors; None takes one away."""
    write_commfor(weights)
    state = {**load_file(weights / NAME / "model.safetensors"), **tensors}
    whole = {**json.loads((weights / NAME / "config.json").read_text()), **config}

    def fill(folder: Path) -> str:
        save_file({name: value for name, value in state.items() if value is not None}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(whole))
        return ""

    install(unpinned(NAME), weights, "changed", fill)


@pytest.mark.parametrize(
    "config", [{"input_size": 333}, {"model_size": "huge"}, {"patch_size": 32}, {"input_size": [224]}], ids=str
)
def test_another_configuration_is_refused(tmp_path: Path, config: dict[str, object]) -> None:
    changed(tmp_path, config, {})
    with pytest.raises(WeightsError, match=r"config\.json does not describe a network of Community Forensics"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"vit.norm.bias": None}, f"{NAME} lacks the tensor norm.bias"),
        ({"vit.extra": torch.zeros(1)}, f"{NAME} has the tensor extra, which is none of this network's"),
        ({"head.weight": torch.zeros(1)}, f"The tensor head.weight of {NAME} does not begin with vit."),
        ({"vit.head.weight": torch.zeros(1000, 192)}, f"The tensor head.weight of {NAME} has the shape"),
    ],
    ids=["lacks one", "one more", "another prefix", "another shape"],
)
def test_a_checkpoint_of_another_layout_is_refused(
    tmp_path: Path, tensors: dict[str, torch.Tensor | None], told: str
) -> None:
    changed(tmp_path, {}, tensors)
    with pytest.raises(WeightsError, match=told):
        load(tmp_path)
