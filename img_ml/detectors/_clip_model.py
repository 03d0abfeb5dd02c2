"""CLIP models of open_clip, out of their published files: the image tower, and the mean text feature of each class."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn

from forensics.documents import json_of
from forensics.errors import WeightsError
from img_ml.detectors._prompts import Prompts
from img_ml.weights.loading import Shapes, check_layout, shapes_of
from img_ml.weights.record import Preprocessing
from img_ml.weights.store import Installed

CONFIG, TENSORS = "open_clip_config.json", "open_clip_model.safetensors"
_VISUAL, _SCALE = "visual.", "logit_scale"
# Towers that open_clip builds out of other libraries, some of which would be downloaded.
_FOREIGN = ("timm_model_name", "hf_model_name")
# Prompts that go through the text tower at once.
_TEXTS = 8


class ClipModel:
    """One CLIP model on one device; its tensors are read when a tower is asked for, each tower once.

    Raises WeightsError where its files do not describe a CLIP model of open_clip's own, or do not fit each other.
    """

    def __init__(self, weights: Installed, device: str) -> None:
        self._name = weights.record.name
        self._path = weights.file(TENSORS)
        self._device = torch.device(device)
        self._config, self._shapes, self.preprocessing = _read_config(weights)
        check_layout(self._name, self._shapes, _found_shapes(self._path))

    def image_tower(self) -> nn.Module:
        """Views (n, 3, side, side) to embeddings (n, d), float32 weights, not yet on the device."""
        tower: nn.Module = empty(self._config).visual
        tensors = self._tensors(name for name in self._shapes if name.startswith(_VISUAL))
        tower.load_state_dict({name.removeprefix(_VISUAL): value for name, value in tensors.items()}, assign=True)
        return _ready(tower)

    def logit_scale(self) -> float:
        """What similarities are multiplied with, as the model learned it."""
        return float(self._tensors([_SCALE])[_SCALE].double().exp())

    @torch.inference_mode()
    def class_features(self, prompts: Prompts) -> NDArray[np.float64]:
        """Two rows of unit length, AI first: the mean over the class's prompts of their text features of unit length.

        WeightsError where a prompt is longer than what the model reads.
        """
        tower = self._text_tower()
        tokenizer = open_clip.SimpleTokenizer(context_length=tower.context_length)
        rows = []
        for texts in (prompts.ai, prompts.real):
            self._check_lengths(tokenizer, texts)
            parts = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
            features = torch.cat([tower.encode_text(tokenizer(list(part)).to(self._device)) for part in parts])
            rows.append(mean_direction(features.double().cpu().numpy()))
        return np.stack(rows)

    def _text_tower(self) -> Any:
        model: Any = empty(self._config)
        del model.visual
        tensors = self._tensors(name for name in self._shapes if not name.startswith(_VISUAL))
        model.load_state_dict(tensors, assign=True)
        # The one tensor that is in no file: each token sees those before it.
        length = model.context_length
        model.attn_mask = torch.full((length, length), -torch.inf).triu(1)
        return _ready(model).to(self._device)

    def _tensors(self, names: Iterable[str]) -> dict[str, Tensor]:
        with safe_open(self._path, "pt") as file:
            return {name: file.get_tensor(name) for name in names}

    def _check_lengths(self, tokenizer: Any, texts: Iterable[str]) -> None:
        most = tokenizer.context_length - 2
        for text in texts:
            if len(tokenizer.encode(text)) > most:
                raise WeightsError(f"The prompt {text!r} is longer than the {most} tokens that {self._name} reads.")


def empty(config: Mapping[str, Any]) -> Any:
    """open_clip's model of that configuration, without any memory for its tensors."""
    with torch.device("meta"):
        return open_clip.CLIP(**config)


def shapes(config: Mapping[str, Any]) -> Shapes:
    """The name and shape of every tensor of a checkpoint of that configuration."""
    return shapes_of(empty(config))


def mean_direction(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the rows, each at unit length first, at unit length again."""
    mean = unit(features).mean(axis=0)
    return unit(mean)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors of the last axis at unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _ready(tower: nn.Module) -> nn.Module:
    return tower.float().eval().requires_grad_(False)


def _read_config(weights: Installed) -> tuple[Mapping[str, Any], Shapes, Preprocessing]:
    path = weights.file(CONFIG)
    assert weights.record.preprocessing is not None
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        config = content["model_cfg"]
        for tower in (config["vision_cfg"], config["text_cfg"]):
            if any(name in tower for name in _FOREIGN):
                raise ValueError("one of its towers is not open_clip's own")
        layout = shapes(config)
        facts = _preprocessing(config, content.get("preprocess_cfg", {}), weights.record.preprocessing)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise WeightsError(f"{path} does not describe a known CLIP model: {error}") from error
    return config, layout, facts


def _preprocessing(config: Mapping[str, Any], told: Mapping[str, Any], facts: Preprocessing) -> Preprocessing:
    """The record's facts with what the model's own files say; ValueError where those ask for something else."""
    if told.get("interpolation", facts.resample) != facts.resample or told.get("resize_mode", "shortest") != "shortest":
        raise ValueError("it resizes in a way that is not known here")
    side = int(config["vision_cfg"]["image_size"])
    mean, std = (tuple(float(v) for v in told.get(key, own)) for key, own in (("mean", facts.mean), ("std", facts.std)))
    return replace(facts, crop=side, shortest=side, mean=(mean[0], mean[1], mean[2]), std=(std[0], std[1], std[2]))


def _found_shapes(path: Path) -> Shapes:
    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
