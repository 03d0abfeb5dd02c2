"""FatFormer's training: CLIP stays as it is; the adapters, the prompts and what joins image and text learn."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from forensics.types import Pixels
from img_ml.data.dataset import Row
from img_ml.detectors.fatformer import network_of
from img_ml.networks.fatformer.network import FatFormer
from img_ml.train.examples import View, shown_as
from img_ml.train.recipe import Recipe
from img_ml.weights.record import Preprocessing
from img_ml.weights.store import installed
from img_ml.weights.table import find

NAME = "fatformer"
# Everything under these names is OpenAI's CLIP, but for the adapters that FatFormer put into its blocks. Parts that a
# checkpoint names twice may be two tensors once it was loaded.
_CLIP, _ADAPTER = ("clip_model.", "image_encoder.", "text_encoder.", "logit_scale"), ".forgery_aware_adapter."


class AdapterTraining(nn.Module):
    """Images n x 3 x H x W in grey levels to logits of AI (n,); only what learns is in its state.

    A checkpoint of the whole network would hold CLIP too, 4.4 GB that never change.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, network: FatFormer, facts: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("_mean", 255 * torch.tensor(facts.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("_std", 255 * torch.tensor(facts.std).view(3, 1, 1), persistent=False)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(learns(name))
        self._learned = {f"network.{name}" for name, _ in network.named_parameters() if learns(name)}
        self.register_state_dict_post_hook(self._keep_learned)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_accept_learned_only)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        """The evidence for fake minus that for real."""
        logits: Tensor = self.network((images - self._mean) / self._std)
        return logits[:, 1] - logits[:, 0]

    def whole(self, learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Every tensor of the published layout, with that state of what learns; each name has its own copy."""
        self.load_state_dict(dict(learned))
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    @staticmethod
    def _keep_learned(module: nn.Module, state: dict[str, Any], prefix: str, _: object) -> None:
        assert isinstance(module, AdapterTraining)
        for name in [name for name in state if name.removeprefix(prefix) not in module._learned]:
            del state[name]


def _accept_learned_only(module: nn.Module, keys: Any) -> None:
    """Only what learns is loaded; the frozen rest is no omission."""
    assert isinstance(module, AdapterTraining)
    keys.missing_keys[:] = [name for name in keys.missing_keys if name in module._learned]


def learns(name: str) -> bool:
    """Whether the parameter of that name learns: FatFormer's own ones do, CLIP's and its temperature do not."""
    return _ADAPTER in name or not name.startswith(_CLIP)


def counts(network: nn.Module) -> tuple[int, int]:
    """The parameters that learn, and all of them."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return sum(size for size, learned in sizes if learned), sum(size for size, _ in sizes)


def recipe(weights: Path) -> Recipe:
    """Training that starts from the installed FatFormer; WeightsError where there is none."""
    found = installed(find(NAME), weights)
    facts = found.record.preprocessing
    assert facts is not None
    network = AdapterTraining(network_of(found, facts.crop), facts)
    return Recipe(NAME, network, view=squashed_crops(facts.squash, facts.crop), tensors=network.whole)


def squashed_crops(squash: int, crop: int) -> View:
    """The whole picture squashed to a square, then a random crop of it, half of them mirrored; the middle at index 0.

    As the authors train (CVPR 2024, section 4.1): sides of 256 pixels, crops of 224.
    """

    def view(row: Row, index: int, seed: int) -> Pixels:
        picture = Image.fromarray(
            np.ascontiguousarray(shown_as(row, index, seed, lambda shown: replace(shown, crop=0)))
        )
        whole = np.asarray(picture.resize((squash, squash), Image.Resampling.BILINEAR))
        random, room = np.random.default_rng([seed, index, 1]), squash - crop
        top, left = random.integers(0, room + 1, 2).tolist() if index else (room // 2, room // 2)
        part = whole[top : top + crop, left : left + crop]
        return part[:, ::-1] if index and random.random() < 0.5 else part

    return view
