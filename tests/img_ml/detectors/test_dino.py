"""DINOv2: the published layout loads whole or not at all, and gives what transformers gives."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from forensics.errors import ArtifactError, WeightsError
from forensics.registry import Setup
from forensics.types import ImageSample, Measured
from img_ml.detectors.dino import load
from img_ml.engine.engine import Engine
from img_ml.profiles import Profile
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.published_size import published_size, size_of
from tests.img_ml.tiny import write_dino


def embedding(setup: Setup, sample: ImageSample) -> np.ndarray:
    (signal,) = load(setup)([sample])
    assert isinstance(signal, Measured)
    assert signal.embedding is not None
    return signal.embedding


def test_the_embedding_is_the_class_token_of_transformers_own_road(tmp_path: Path) -> None:
    from transformers import Dinov2Model
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

    write_dino(tmp_path)
    folder = tmp_path / "dinov2-base"
    processor = BitImageProcessorPil(**json.loads((folder / "preprocessor_config.json").read_text()))
    pixels = torch.from_numpy(np.asarray(processor(Image.fromarray(photo()), return_tensors="np")["pixel_values"]))
    with torch.inference_mode():
        tokens = Dinov2Model.from_pretrained(folder).eval()(pixel_values=pixels).last_hidden_state[0]
    sample = sample_of(photo())
    np.testing.assert_allclose(embedding(Setup(tmp_path, tier="standard"), sample), tokens[0], atol=1e-5)
    both = embedding(Setup(tmp_path, tier="standard", options={"pooling": "cls+mean"}), sample)
    np.testing.assert_allclose(both, torch.cat([tokens[0], tokens[1:].mean(dim=0)]), atol=1e-5)


def published(width: int, hidden: int, layers: int, side: int = 518) -> dict[str, tuple[int, ...]]:
    """The tensors of the published files."""
    found: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, width),
        "embeddings.position_embeddings": (1, (side // 14) ** 2 + 1, width),
        "embeddings.patch_embeddings.projection.weight": (width, 3, 14, 14),
        "embeddings.patch_embeddings.projection.bias": (width,),
        "layernorm.weight": (width,),
        "layernorm.bias": (width,),
    }
    square = ("attention.attention.query", "attention.attention.key", "attention.attention.value")
    for layer in range(layers):
        parts: dict[str, tuple[int, ...]] = {
            **{f"{name}.weight": (width, width) for name in (*square, "attention.output.dense")},
            **{f"{name}.bias": (width,) for name in (*square, "attention.output.dense", "mlp.fc2", "norm1", "norm2")},
            **{f"{name}.weight": (width,) for name in ("norm1", "norm2")},
            **{f"{name}.lambda1": (width,) for name in ("layer_scale1", "layer_scale2")},
            "mlp.fc1.weight": (hidden, width),
            "mlp.fc1.bias": (hidden,),
            "mlp.fc2.weight": (width, hidden),
        }
        found |= {f"encoder.layer.{layer}.{name}": shape for name, shape in parts.items()}
    return found


@pytest.mark.parametrize(
    ("name", "layout"),
    [("dinov2-base", published(768, 3072, 12)), ("dinov2-large", published(1024, 4096, 24))],
)
def test_a_file_of_these_names_and_shapes_has_the_published_size(name: str, layout: dict[str, tuple[int, ...]]) -> None:
    assert size_of(layout, format="pt") == published_size(name)


def test_the_published_names_load_key_for_key(tmp_path: Path) -> None:
    write_dino(tmp_path / "saved")
    source, layout = tmp_path / "saved" / "dinov2-base", published(32, 64, 2, side=56)
    assert {name: tuple(value.shape) for name, value in load_file(source / "model.safetensors").items()} == layout
    tensors = {name: torch.randn(shape) for name, shape in layout.items()}

    def fill(folder: Path) -> str:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        for name in ("config.json", "preprocessor_config.json"):
            (folder / name).write_text((source / name).read_text())
        return ""

    install(find("dinov2-base"), tmp_path, "tiny", fill)
    network = load(Setup(tmp_path, tier="standard")).module
    # transformers has other names inside, by its release.
    inside = [value.flatten().tolist() for value in network.state_dict().values()]
    assert sorted(inside) == sorted(value.flatten().tolist() for value in tensors.values())


def test_registers_are_no_patches(tmp_path: Path) -> None:
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    write_dino(tmp_path / "plain")
    torch.manual_seed(0)
    config = Dinov2WithRegistersConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14, num_register_tokens=4
    )
    model = Dinov2WithRegistersModel(config).eval()

    def fill(folder: Path) -> str:
        model.save_pretrained(folder)
        text = (tmp_path / "plain" / "dinov2-base" / "preprocessor_config.json").read_text()
        (folder / "preprocessor_config.json").write_text(text)
        return ""

    install(find("dinov2-base"), tmp_path, "tiny", fill)
    setup = Setup(tmp_path, tier="standard", options={"pooling": "cls+mean"})
    found = embedding(setup, sample_of(np.full((56, 56, 3), 128, dtype=np.uint8)))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        tokens = model(pixel_values=((128 / 255 - mean) / std).expand(1, 3, 56, 56)).last_hidden_state[0]
    np.testing.assert_allclose(found[32:], tokens[5:].mean(dim=0), atol=1e-5)


def test_the_profile_chooses_the_size(tmp_path: Path) -> None:
    write_dino(tmp_path, "dinov2-base")
    write_dino(tmp_path, "dinov2-large")
    marks = {
        tier: Engine(Profile("p", ("dino",), Path(), tier), tmp_path, "cpu").marks["dino"]
        for tier in ("standard", "full")
    }
    assert marks["standard"] != marks["full"]
    base = Engine(Profile("p", ("dino",), Path(), "full", {"dino": {"weights": "dinov2-base"}}), tmp_path, "cpu")
    assert base.marks["dino"] == marks["standard"]


def test_another_pooling_is_another_mark_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    write_dino(tmp_path)
    marks = {
        load(Setup(tmp_path, tier="standard", options=options)).weights_sha256
        for options in ({}, {"pooling": "cls"}, {"pooling": "cls+mean"})
    }
    assert len(marks) == 2
    with pytest.raises(ArtifactError, match=r"The option pooling of dino is 'max': choose cls or cls\+mean"):
        load(Setup(tmp_path, tier="standard", options={"pooling": "max"}))


def test_weights_that_lack_a_tensor_are_refused_not_made_up(tmp_path: Path) -> None:
    write_dino(tmp_path / "whole")
    source = tmp_path / "whole" / "dinov2-base"

    def fill(folder: Path) -> str:
        tensors = load_file(source / "model.safetensors")
        del tensors["layernorm.weight"]
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        for name in ("config.json", "preprocessor_config.json"):
            (folder / name).write_text((source / name).read_text())
        return ""

    install(find("dinov2-base"), tmp_path, "tiny", fill)
    with pytest.raises(WeightsError, match=r"lacks the tensor layernorm\.weight"):
        load(Setup(tmp_path, tier="standard"))


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    write_dino(tmp_path / "whole")

    def fill(folder: Path) -> str:
        for path in (tmp_path / "whole" / "dinov2-base").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
        return ""

    install(find("dinov2-base"), tmp_path, "tiny", fill)
    with pytest.raises(WeightsError, match="holds a vit, not a DINOv2"):
        load(Setup(tmp_path, tier="standard"))
