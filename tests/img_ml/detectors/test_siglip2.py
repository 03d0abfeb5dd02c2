"""SigLIP 2: the published layout loads whole or not at all, gives what transformers gives, and its classifier."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from forensics.errors import ArtifactError, WeightsError
from forensics.registry import Setup
from forensics.types import ImageSample, Measured
from img_ml.detectors._siglip import empty, load_siglip
from img_ml.detectors._siglip_embedder import unit
from img_ml.detectors.siglip2 import load
from img_ml.engine.preprocess import Preprocessor, published
from img_ml.networks.embedding_mlp import EmbeddingMlp
from img_ml.weights.store import install, installed, pull_command, state_of
from img_ml.weights.table import find, needed
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.published_size import published_size, size_of
from tests.img_ml.tiny import SIGLIP_PROCESSOR, save_siglip, write_siglip

STANDARD = "standard"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write_siglip(tmp_path)
    return tmp_path


def measured(setup: Setup, sample: ImageSample | None = None) -> Measured:
    (signal,) = load(setup)([sample or sample_of(photo())])
    assert isinstance(signal, Measured)
    return signal


def processed(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """What transformers' own image processor gives for the folder."""
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    processor = SiglipImageProcessorPil(**json.loads((folder / "preprocessor_config.json").read_text()))
    return np.asarray(processor(Image.fromarray(pixels), return_tensors="np")["pixel_values"])


def changed(folder: Path, name: str, **content: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))


def test_the_embedding_is_the_pooled_output_of_transformers_own_road_at_unit_length(weights: Path) -> None:
    from transformers import SiglipModel

    folder = weights / "siglip2-base"
    with torch.inference_mode():
        pixels = torch.from_numpy(processed(folder, photo()))
        pooled = SiglipModel.from_pretrained(folder).eval().vision_model(pixel_values=pixels).pooler_output[0]
    found = measured(Setup(weights, tier=STANDARD))
    assert found.embedding is not None
    np.testing.assert_allclose(found.embedding, pooled / pooled.norm(), atol=1e-5)
    assert math.isnan(found.numbers["siglip2_prob"])


@pytest.mark.parametrize("size", [(1, 1), (31, 500), (56, 56), (300, 200)], ids=str)
def test_preprocessing_equals_the_image_processor(weights: Path, size: tuple[int, int]) -> None:
    folder = weights / "siglip2-base"
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    facts = published(folder / "preprocessor_config.json")
    assert (facts.squash, facts.crop, facts.resample) == (56, 56, "bilinear")
    np.testing.assert_allclose(Preprocessor(facts, "cpu")(pixels)[None], processed(folder, pixels), atol=1e-3)


def test_the_published_preprocessing_is_that_of_the_record(tmp_path: Path) -> None:
    for name, side in (("siglip2-base", 224), ("siglip2-so400m", 384)):
        path = tmp_path / "preprocessor_config.json"
        path.write_text(json.dumps({**SIGLIP_PROCESSOR, "size": {"height": side, "width": side}}))
        facts, record = published(path), find(name).preprocessing
        assert record is not None
        assert (facts.squash, facts.crop, facts.mean, facts.std, facts.resample) == (
            record.squash,
            record.crop,
            record.mean,
            record.std,
            record.resample,
        )


def layout(width: int, hidden: int, layers: int, patch: int, side: int) -> dict[str, tuple[int, ...]]:
    """The image tower's tensors in the published files, without `vision_model.` in front."""
    found: dict[str, tuple[int, ...]] = {
        "embeddings.patch_embedding.weight": (width, 3, patch, patch),
        "embeddings.patch_embedding.bias": (width,),
        "embeddings.position_embedding.weight": ((side // patch) ** 2, width),
        "head.probe": (1, 1, width),
        "head.attention.in_proj_weight": (3 * width, width),
        "head.attention.in_proj_bias": (3 * width,),
        **affine("head.attention.out_proj", width, width),
        **norm("head.layernorm", width),
        **affine("head.mlp.fc1", hidden, width),
        **affine("head.mlp.fc2", width, hidden),
        **norm("post_layernorm", width),
    }
    return found | blocks(width, hidden, layers)


def text_layout(width: int, hidden: int, layers: int) -> dict[str, tuple[int, ...]]:
    """The text tower's tensors in the published files, without `text_model.` in front."""
    found: dict[str, tuple[int, ...]] = {
        "embeddings.token_embedding.weight": (256_000, width),
        "embeddings.position_embedding.weight": (64, width),
        **norm("final_layer_norm", width),
        **affine("head", width, width),
    }
    return found | blocks(width, hidden, layers)


def blocks(width: int, hidden: int, layers: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for number in range(layers):
        at = f"encoder.layers.{number}"
        for part in ("k_proj", "out_proj", "q_proj", "v_proj"):
            found |= affine(f"{at}.self_attn.{part}", width, width)
        found |= norm(f"{at}.layer_norm1", width) | norm(f"{at}.layer_norm2", width)
        found |= affine(f"{at}.mlp.fc1", hidden, width) | affine(f"{at}.mlp.fc2", width, hidden)
    return found


def affine(name: str, after: int, before: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


@pytest.mark.parametrize(
    ("vision", "expected", "parameters"),
    [
        (find("siglip2-base").architecture, layout(768, 3072, 12, 16, 224), 92_884_224),
        (find("siglip2-so400m").architecture, layout(1152, 4304, 27, 14, 384), 428_225_600),
    ],
    ids=["base", "so400m"],
)
def test_the_published_towers_load_key_for_key(
    vision: dict[str, Any], expected: dict[str, tuple[int, ...]], parameters: int
) -> None:
    from transformers import AutoConfig

    tower = empty(AutoConfig.for_model(**vision))
    found = {name.removeprefix("vision_model."): tuple(value.shape) for name, value in tower.state_dict().items()}
    assert found == expected
    assert sum(math.prod(shape) for shape in expected.values()) == parameters


@pytest.mark.parametrize(
    ("name", "image", "text"),
    [
        ("siglip2-base", layout(768, 3072, 12, 16, 224), text_layout(768, 3072, 12)),
        ("siglip2-so400m", layout(1152, 4304, 27, 14, 384), text_layout(1152, 4304, 27)),
    ],
    ids=["base", "so400m"],
)
def test_a_file_of_these_names_and_shapes_has_the_published_size(
    name: str, image: dict[str, tuple[int, ...]], text: dict[str, tuple[int, ...]]
) -> None:
    whole = {
        **{f"vision_model.{key}": shape for key, shape in image.items()},
        **{f"text_model.{key}": shape for key, shape in text.items()},
        **dict.fromkeys(("logit_scale", "logit_bias"), (1,)),
    }
    assert size_of(whole, format="pt") == published_size(name)


def test_a_tower_saved_alone_is_the_same_one(tmp_path: Path) -> None:
    save_siglip(tmp_path / "whole")
    whole = load_siglip(tmp_path / "whole", "whole")
    alone = tmp_path / "alone"
    whole.tower.tower.save_pretrained(alone)  # type: ignore[operator]
    (alone / "preprocessor_config.json").write_text((tmp_path / "whole" / "preprocessor_config.json").read_text())
    views = torch.rand(2, 3, 56, 56)
    assert torch.equal(whole.tower(views), load_siglip(alone, "alone").tower(views))
    assert whole.dimension == 32


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda tensors: tensors.pop("vision_model.head.probe"), r"lacks the tensor \S*head\.probe"),
        (lambda tensors: tensors.update({"vision_model.extra": torch.zeros(2)}), r"has the tensor \S*extra"),
        (lambda tensors: tensors.update({"vision_model.head.probe": torch.zeros(1, 1, 3)}), r"\(1, 1, 3\), not"),
    ],
    ids=["missing", "over", "misfit"],
)
def test_tensors_that_do_not_fit_are_refused_not_made_up(tmp_path: Path, broken: Any, told: str) -> None:
    save_siglip(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    broken(tensors)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=told):
        load_siglip(tmp_path, "mine")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", {"model_type": "siglip2"}, "holds a siglip2, not a SigLIP of one resolution"),
        ("config.json", {"vision_config": None}, "does not describe a SigLIP model"),
        ("config.json", {"vision_config": {"vision_use_head": False}}, "no attention pooling head"),
        ("preprocessor_config.json", {"size": {"height": 64, "width": 64}}, "takes 56 pixels"),
    ],
)
def test_another_architecture_is_refused(tmp_path: Path, name: str, content: dict[str, Any], told: str) -> None:
    save_siglip(tmp_path)
    changed(tmp_path, name, **content)
    with pytest.raises(WeightsError, match=told):
        load_siglip(tmp_path, "mine")


def test_the_profile_chooses_the_size(weights: Path) -> None:
    write_siglip(weights, "siglip2-so400m")
    marks = {tier: load(Setup(weights, tier=tier)).weights_sha256 for tier in ("standard", "full")}
    assert marks["standard"] != marks["full"]
    assert [record.name for record in needed("siglip2", "full")] == ["siglip2-so400m"]


def write_classifier(weights: Path, encoder: str) -> EmbeddingMlp:
    torch.manual_seed(1)
    network = EmbeddingMlp(32, (8, 4)).eval()

    def fill(folder: Path) -> str:
        save_file(network.state_dict(), folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"encoder": encoder}))
        return ""

    install(find("siglip2-base-mlp"), weights, "trained here", fill)
    return network


def test_an_installed_classifier_gives_the_probability_and_another_mark(weights: Path) -> None:
    setup = Setup(weights, tier=STANDARD)
    before = load(setup).weights_sha256
    network = write_classifier(weights, installed(find("siglip2-base"), weights).digest)
    found = measured(setup)
    assert found.embedding is not None
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(found.embedding)[None])).item()
    assert found.numbers["siglip2_prob"] == pytest.approx(expected, abs=1e-6)
    assert "the classifier that was trained on it" in found.sentence
    assert load(setup).weights_sha256 != before


def test_a_classifier_for_other_embeddings_is_refused(weights: Path) -> None:
    write_classifier(weights, "of other weights")
    with pytest.raises(ArtifactError, match="trained on embeddings of other weights than the installed siglip2-base"):
        load(Setup(weights, tier=STANDARD))


def test_a_classifier_is_missed_nowhere(weights: Path) -> None:
    record = find("siglip2-base-mlp")
    assert state_of(record, weights) == "missing"
    assert pull_command(record) == "python -m img_ml.train siglip2 train --embeddings_dir EMBEDDINGS --install"
    with pytest.raises(ArtifactError, match="are not weights of siglip2"):
        load(Setup(weights, options={"weights": "siglip2-base-mlp"}))


def test_unit_length_is_the_same_for_one_and_for_many() -> None:
    pooled = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    np.testing.assert_array_equal(unit(pooled)[1], unit(pooled[1]))
    np.testing.assert_allclose(np.linalg.norm(unit(pooled), axis=1), 1, atol=1e-6)
