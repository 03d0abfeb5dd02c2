"""CLIP: the layout of the published checkpoints, the probability against slow float64, kept text features, prompts."""

import json
import math
import socket
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from forensics.errors import ArtifactError, WeightsError
from forensics.registry import Setup, get
from forensics.types import ImageSample, Measured
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector
from img_ml.detectors._clip_model import ClipModel, shapes
from img_ml.detectors._prompts import SHIPPED, load_prompts
from img_ml.detectors._torch import TorchDetector
from img_ml.weights.record import CLIP_MEAN, CLIP_STD
from img_ml.weights.store import install
from img_ml.weights.table import find
from tests.forensics.pictures import photo, sample_of
from tests.img_ml.published_size import published_size, size_of
from tests.img_ml.tiny import TINY_CLIP, write_clip

NAME = "clip-vit-h-14"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write_clip(tmp_path)
    return tmp_path


def load(weights: Path, **options: str) -> TorchDetector:
    load = get("clip_h14").load
    assert load is not None
    detector = load(Setup(weights, options=options))
    assert isinstance(detector, TorchDetector)
    return detector


def measured(detector: TorchDetector, sample: ImageSample) -> Measured:
    (signal,) = detector([sample])
    assert isinstance(signal, Measured)
    return signal


def block(prefix: str, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """A transformer's block in open_clip's names."""
    return {
        f"{prefix}.ln_1.weight": (width,),
        f"{prefix}.ln_1.bias": (width,),
        f"{prefix}.attn.in_proj_weight": (3 * width, width),
        f"{prefix}.attn.in_proj_bias": (3 * width,),
        f"{prefix}.attn.out_proj.weight": (width, width),
        f"{prefix}.attn.out_proj.bias": (width,),
        f"{prefix}.ln_2.weight": (width,),
        f"{prefix}.ln_2.bias": (width,),
        f"{prefix}.mlp.c_fc.weight": (hidden, width),
        f"{prefix}.mlp.c_fc.bias": (hidden,),
        f"{prefix}.mlp.c_proj.weight": (width, hidden),
        f"{prefix}.mlp.c_proj.bias": (width,),
    }


def published(image: tuple[int, int, int], text: tuple[int, int], embedding: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a published checkpoint: width, hidden width and layers of the image tower, width and layers of
    the text tower, size of the embedding."""
    width, hidden, layers = image
    text_width, text_layers = text
    found: dict[str, tuple[int, ...]] = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (16 * 16 + 1, width),
        "visual.proj": (width, embedding),
        "visual.conv1.weight": (width, 3, 14, 14),
        "visual.ln_pre.weight": (width,),
        "visual.ln_pre.bias": (width,),
        "visual.ln_post.weight": (width,),
        "visual.ln_post.bias": (width,),
        "positional_embedding": (77, text_width),
        "token_embedding.weight": (49408, text_width),
        "ln_final.weight": (text_width,),
        "ln_final.bias": (text_width,),
        "text_projection": (text_width, embedding),
        "logit_scale": (),
    }
    for i in range(layers):
        found |= block(f"visual.transformer.resblocks.{i}", width, hidden)
    for i in range(text_layers):
        found |= block(f"transformer.resblocks.{i}", text_width, 4 * text_width)
    return found


@pytest.mark.parametrize(
    ("architecture", "layout", "parameters"),
    [
        ("ViT-H-14", published((1280, 5120, 32), (1024, 24), 1024), 986_109_441),
        ("ViT-bigG-14", published((1664, 8192, 48), (1280, 32), 1280), 2_539_567_105),
    ],
)
def test_the_published_checkpoints_load_key_for_key(
    architecture: str, layout: dict[str, tuple[int, ...]], parameters: int
) -> None:
    assert shapes(open_clip.get_model_config(architecture)) == layout
    assert sum(math.prod(shape) for shape in layout.values()) == parameters


def test_a_file_of_these_names_and_shapes_has_the_published_size() -> None:
    layout = published((1280, 5120, 32), (1024, 24), 1024)
    assert size_of(layout, format="pt") == published_size("clip-vit-h-14")


def reference(weights: Path, picture: Image.Image) -> float:
    """The probability as the paper describes it: one prompt after the other, float64, open_clip's own loader."""
    model = open_clip.CLIP(**TINY_CLIP)
    open_clip.load_checkpoint(model, str(weights / NAME / "open_clip_model.safetensors"))
    model = model.double().eval()
    transform = open_clip.image_transform(56, is_train=False, mean=CLIP_MEAN, std=CLIP_STD)
    tokenizer = open_clip.SimpleTokenizer()
    prompts = load_prompts(weights)
    with torch.no_grad():
        image = model.encode_image(transform(picture)[None].double())[0].numpy()
        image = image / math.sqrt(sum(value**2 for value in image))
        logits = []
        for texts in (prompts.ai, prompts.real):
            total = np.zeros(24)
            for text in texts:
                feature = model.encode_text(tokenizer([text]))[0].numpy()
                total += feature / math.sqrt(sum(value**2 for value in feature))
            mean = total / len(texts)
            mean = mean / math.sqrt(sum(value**2 for value in mean))
            cosine = sum(a * b for a, b in zip(image, mean, strict=True))
            logits.append(math.exp(float(model.logit_scale)) * cosine)
    return math.exp(logits[0]) / (math.exp(logits[0]) + math.exp(logits[1]))


@pytest.mark.parametrize("size", [(320, 240), (300, 57), (20, 31), (56, 56)], ids=str)
def test_the_probability_is_that_of_the_plain_reference(weights: Path, size: tuple[int, int]) -> None:
    sample = sample_of(np.asarray(Image.fromarray(photo()).resize(size)))
    found = measured(load(weights), sample)
    expected = reference(weights, Image.fromarray(sample.pixels))
    assert found.numbers["clip_h14_prob"] == pytest.approx(expected, abs=1e-5)
    assert abs(expected - 0.5) > 1e-3


def test_the_embedding_has_unit_length_and_the_head_stays_open(weights: Path) -> None:
    found = measured(load(weights), sample_of(photo()))
    assert found.embedding is not None
    assert np.linalg.norm(found.embedding) == pytest.approx(1)
    assert math.isnan(found.numbers["clip_h14_head_prob"])


def test_nothing_is_asked_of_a_network(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("somebody wants to go online")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert 0 < measured(load(weights), sample_of(photo())).numbers["clip_h14_prob"] < 1


def kept(weights: Path) -> list[Path]:
    return sorted((weights / "text_features").iterdir())


def test_text_features_are_computed_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured(load(weights), sample_of(photo()))
    assert len(kept(weights)) == 1

    def refuse(*_: object) -> None:
        raise AssertionError("the text tower is not needed")

    monkeypatch.setattr(ClipModel, "_text_tower", refuse)
    assert measured(load(weights), sample_of(photo())).numbers["clip_h14_prob"] == first.numbers["clip_h14_prob"]
    write_own(weights)
    with pytest.raises(AssertionError):
        load(weights)


def truncated(content: bytes) -> bytes:
    return content[:-7]


def flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda content: b"", lambda content: b"{}" * 9])
def test_damaged_text_features_are_computed_again(weights: Path, damage: object) -> None:
    assert callable(damage)
    load(weights)
    (path,) = kept(weights)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    load(weights)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_time_only(weights: Path) -> None:
    (weights / "text_features").write_text("in the way")
    assert 0 < measured(load(weights), sample_of(photo())).numbers["clip_h14_prob"] < 1


def test_other_weights_have_other_text_features(weights: Path) -> None:
    load(weights)
    install(find(NAME), weights, "other", lambda folder: written(folder, TINY_CLIP, scale=1.5))
    load(weights)
    assert len(kept(weights)) == 2


OWN = 'ai = ["a cat"]\nreal = ["a dog", "a horse"]\n'


def write_own(weights: Path, name: str = "prompts.toml", content: str = OWN) -> None:
    (weights / name).write_text(content)


def test_prompts_in_the_folder_of_weights_or_of_the_profile_replace_the_shipped_ones(weights: Path) -> None:
    shipped = load_prompts(weights)
    assert len(shipped.ai) > 3
    assert len(shipped.real) > 3
    before = load(weights)
    write_own(weights)
    assert load_prompts(weights).real == ("a dog", "a horse")
    own = load(weights)
    write_own(weights, "others.toml", OWN.replace("cat", "house"))
    chosen = load(weights, prompts="others.toml")
    assert load_prompts(weights, str(SHIPPED)) == shipped
    numbers = {measured(d, sample_of(photo())).numbers["clip_h14_prob"] for d in (before, own, chosen)}
    assert len(numbers) == 3
    assert len({d.weights_sha256 for d in (before, own, chosen)}) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("ai = [", "cannot be used"),
        ('ai = ["a"]', "no list of texts named real"),
        ('ai = ["a"]\nreal = []', "no list of texts named real"),
        ('ai = ["a", " "]\nreal = ["b"]', "' ' of ai is not a text"),
        ('ai = ["a", 3]\nreal = ["b"]', "3 of ai is not a text"),
        ('ai = "a"\nreal = ["b"]', "no list of texts named ai"),
        ('ai = ["a"]\nreal = ["b"]\nunsure = ["c"]', "'unsure' is neither ai nor real"),
        (f'ai = ["{"very " * 76} long"]\nreal = ["b"]', "is longer than the 75 tokens"),
    ],
)
def test_prompts_that_cannot_be_used_are_told(weights: Path, content: str, told: str) -> None:
    write_own(weights, content=content)
    with pytest.raises(ArtifactError, match=told):
        load(weights)


def test_a_missing_file_of_prompts_is_told(weights: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere\.toml cannot be used"):
        load(weights, prompts="nowhere.toml")


def written(folder: Path, config: object, scale: float = 2.0, **changed: torch.Tensor | None) -> str:
    """A checkpoint whose configuration or tensors were changed; None takes a tensor away."""
    torch.manual_seed(0)
    state = {**open_clip.CLIP(**TINY_CLIP).state_dict(), "logit_scale": torch.tensor(scale), **changed}
    tensors = {name: value for name, value in state.items() if value is not None}
    save_file(tensors, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    return ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"visual.proj": None}, "lacks the tensor visual.proj"),
        ({"ln_final.bias": None}, "lacks the tensor ln_final.bias"),
        ({"visual.extra": torch.zeros(1)}, "has the tensor visual.extra, which is none of this network's"),
        ({"visual.proj": torch.zeros(3, 4)}, r"visual.proj of clip-vit-h-14 has the shape \(3, 4\), not"),
    ],
)
def test_a_checkpoint_of_another_layout_is_refused(tmp_path: Path, changed: dict[str, object], told: str) -> None:
    install(find(NAME), tmp_path, "other", lambda folder: written(folder, TINY_CLIP, **changed))  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=told):
        load(tmp_path)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("vision_cfg", {"timm_model_name": "vit_small_patch16_224"}),
        ("text_cfg", {"hf_model_name": "roberta-base"}),
        ("vision_cfg", {"colour": "red"}),
        ("vision_cfg", {"width": "wide"}),
        ("embed_dim", None),
    ],
)
def test_a_configuration_that_is_not_open_clips_own_is_refused(tmp_path: Path, part: str, content: object) -> None:
    before: Any = TINY_CLIP[part]
    config = {**TINY_CLIP, part: {**before, **content} if isinstance(content, dict) else content}
    install(find(NAME), tmp_path, "other", lambda folder: written(folder, config))
    with pytest.raises(WeightsError, match="does not describe a known CLIP model"):
        load(tmp_path)


def test_a_checkpoint_in_half_precision_is_computed_in_single(tmp_path: Path) -> None:
    write_clip(tmp_path)
    exact = measured(load(tmp_path), sample_of(photo()))
    path = tmp_path / NAME / "open_clip_model.safetensors"
    halves = {name: value.half() for name, value in load_file(path).items()}
    whole = (tmp_path / NAME / "open_clip_config.json").read_text()

    def fill(folder: Path) -> str:
        save_file(halves, folder / path.name)
        (folder / "open_clip_config.json").write_text(whole)
        return ""

    install(find(NAME), tmp_path, "half", fill)
    rough = measured(load(tmp_path), sample_of(photo()))
    assert rough.numbers["clip_h14_prob"] == pytest.approx(exact.numbers["clip_h14_prob"], abs=0.01)
