"""SigLIP of transformers, out of its published folder: the image tower alone, and how pixels become its input."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from forensics.documents import json_of
from forensics.errors import WeightsError
from img_ml.engine.preprocess import published
from img_ml.weights.loading import fill
from img_ml.weights.record import Preprocessing

CONFIG, PROCESSOR, TENSORS = "config.json", "preprocessor_config.json", "model.safetensors"
# The whole model, whose image tower is taken, or the tower saved alone.
_WHOLE, _TOWER = "siglip", "siglip_vision_model"
_PREFIX = "vision_model."
# Older files hold it; it is what the network counts by itself.
_COUNTED = "position_ids"


class SiglipTower(nn.Module):
    """Views (n, 3, side, side) to the output of the attention pooling head (n, d)."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, views: Tensor) -> Tensor:
        """The pooled output."""
        pooled: Tensor = self.tower(pixel_values=views).pooler_output
        return pooled


@dataclass(frozen=True, slots=True)
class Siglip:
    """A loaded image tower on the CPU, float32; `dimension` is the length of what it gives."""

    tower: SiglipTower
    preprocessing: Preprocessing
    dimension: int


def load_siglip(folder: Path, name: str) -> Siglip:
    """The image tower of the model in that folder, key for key; WeightsError where something is missing or misfits."""
    config = _vision_config(folder / CONFIG, name)
    facts = published(folder / PROCESSOR)
    if facts.crop != config.image_size:
        raise WeightsError(f"{name} takes {config.image_size} pixels, but its {PROCESSOR} gives {facts.crop}.")
    tower = empty(config)
    # transformers has moved the tower one level up and down again: the files' names stay.
    inside = _PREFIX if next(iter(tower.state_dict())).startswith(_PREFIX) else ""
    fill(tower, {inside + key: value for key, value in _tensors(folder / TENSORS, name).items()}, name, assign=True)
    for module in tower.modules():
        if hasattr(module, _COUNTED):
            positions = (config.image_size // config.patch_size) ** 2
            setattr(module, _COUNTED, torch.arange(positions).expand(1, -1))
    return Siglip(SiglipTower(tower.float().eval().requires_grad_(False)), facts, config.hidden_size)


def empty(config: Any) -> nn.Module:
    """The image tower of that configuration without any memory for its tensors."""
    from transformers import SiglipVisionModel

    with torch.device("meta"):
        tower: nn.Module = SiglipVisionModel(config)
    return tower


def _vision_config(path: Path, name: str) -> Any:
    from transformers import SiglipVisionConfig

    try:
        content: Mapping[str, Any] = json_of(path.read_text(encoding="utf-8"))
        kind = content["model_type"]
        told = {**(content["vision_config"] if kind == _WHOLE else content)}
        config = SiglipVisionConfig(**{key: value for key, value in told.items() if key != "model_type"})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not describe a SigLIP model: {error}") from error
    if kind not in (_WHOLE, _TOWER):
        raise WeightsError(f"{name} holds a {kind}, not a SigLIP of one resolution ({_WHOLE} or {_TOWER}).")
    if told.get("vision_use_head", True) is not True:
        raise WeightsError(f"{name} has no attention pooling head, so it gives no embedding.")
    return config


def _tensors(path: Path, name: str) -> dict[str, Tensor]:
    """The image tower's tensors by their names inside it; those of the text tower are not read."""
    try:
        with safe_open(path, "pt") as file:
            keys = list(file.keys())
            whole = any(key.startswith(_PREFIX) for key in keys)
            wanted = [key for key in keys if key.startswith(_PREFIX)] if whole else keys
            return {
                key.removeprefix(_PREFIX): file.get_tensor(key) for key in wanted if not key.endswith(f".{_COUNTED}")
            }
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"The tensors of {name} cannot be read: {error}") from error
