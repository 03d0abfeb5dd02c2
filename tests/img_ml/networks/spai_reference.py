"""SPAI written plainly in float64: sums over frequencies, loops over tokens, layers and heads."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]
Tensors = Mapping[str, Array]
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def split(image: Array, radius: int) -> tuple[Array, Array]:
    """Low and high frequencies of an image (3, s, s), by the discrete Fourier transform as its definition has it."""
    side = image.shape[-1]
    positions = np.arange(side)
    wave = np.exp(-2j * np.pi * np.outer(positions, positions) / side)
    inside = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            # Signed frequencies; the negative ones count one less.
            y, x = (f - side if f >= side // 2 else f for f in (row, column))
            y, x = (-f - 1 if f < 0 else f for f in (y, x))
            inside[row, column] = math.hypot(y, x) < radius
    low, high = np.empty_like(image), np.empty_like(image)
    for channel in range(3):
        spectrum = wave @ image[channel] @ wave
        for kept, out in ((inside, low), (1 - inside, high)):
            out[channel] = (wave.conj() @ (spectrum * kept) @ wave.conj()).real / side**2
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def norm(values: Array, weight: Array, bias: Array, epsilon: float) -> Array:
    centred = values - values.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * weight + bias


def gelu(values: Array) -> Array:
    return values * 0.5 * (1 + erf(values / math.sqrt(2)))


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def linear(tensors: Tensors, name: str, values: Array) -> Array:
    return values @ tensors[f"{name}.weight"].T + tensors.get(f"{name}.bias", np.zeros(1))


def layers(tensors: Tensors, image: Array, depth: int) -> list[Array]:
    """The tokens of the image without the first, after each block."""
    prefix = "mfvit.vit."
    kernel = tensors[f"{prefix}patch_embed.proj.weight"]
    width, _, patch, _ = kernel.shape
    normal = (image - np.array(MEAN)[:, None, None]) / np.array(DEVIATION)[:, None, None]
    tokens = [tensors[f"{prefix}cls_token"][0, 0]]
    for top in range(0, image.shape[1], patch):
        for left in range(0, image.shape[2], patch):
            square = normal[:, top : top + patch, left : left + patch]
            tokens.append((kernel * square).sum((1, 2, 3)) + tensors[f"{prefix}patch_embed.proj.bias"])
    values = np.stack(tokens) + tensors[f"{prefix}pos_embed"][0]
    found = []
    for number in range(depth):
        values = _block(tensors, f"{prefix}blocks.{number}", values, width)
        found.append(values[1:])
    return found


def _block(tensors: Tensors, name: str, values: Array, width: int) -> Array:
    inner = norm(values, tensors[f"{name}.norm1.weight"], tensors[f"{name}.norm1.bias"], 1e-6)
    query, key, value = np.split(inner @ tensors[f"{name}.attn.qkv.weight"].T, 3, axis=1)
    query = query + tensors[f"{name}.attn.q_bias"]
    value = value + tensors[f"{name}.attn.v_bias"]
    heads = []
    for start in range(0, width, 64):
        one = slice(start, start + 64)
        heads.append(softmax(query[:, one] @ key[:, one].T / 8) @ value[:, one])
    values = values + linear(tensors, f"{name}.attn.proj", np.concatenate(heads, axis=1))
    inner = norm(values, tensors[f"{name}.norm2.weight"], tensors[f"{name}.norm2.bias"], 1e-6)
    return values + linear(tensors, f"{name}.mlp.fc2", gelu(linear(tensors, f"{name}.mlp.fc1", inner)))


def projected(tensors: Tensors, name: str, values: Array) -> Array:
    weighing = "original_features_processor" in name
    if not weighing:
        values = norm(values, tensors[f"{name}.norm1.weight"], tensors[f"{name}.norm1.bias"], 1e-5)
    values = linear(tensors, f"{name}.projector.4", gelu(linear(tensors, f"{name}.projector.1", values)))
    values = gelu(values) if weighing else values
    return norm(values, tensors[f"{name}.norm2.weight"], tensors[f"{name}.norm2.bias"], 1e-5)


def vector(tensors: Tensors, patch: Array, radius: int, depth: int) -> Array:
    """What one patch (3, s, s) in [0, 1] becomes."""
    prefix = "mfvit.features_processor"
    versions = []
    for image in (patch, *split(patch, radius)):
        tokens = layers(tensors, image, depth)
        name = f"{prefix}.patch_projector.projectors"
        versions.append([projected(tensors, f"{name}.{i}", layer) for i, layer in enumerate(tokens)])
    parts = []
    for first, second in ((0, 1), (0, 2), (1, 2)):
        alike = [
            [float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in zip(one, other, strict=True)]
            for one, other in zip(versions[first], versions[second], strict=True)
        ]
        parts.append([np.mean(layer) for layer in alike])
        parts.append([np.std(layer, ddof=1) for layer in alike])
    original = f"{prefix}.original_features_processor"
    moments = np.stack([np.concatenate([layer.mean(0), layer.std(0, ddof=1)]) for layer in versions[0]])
    weights = softmax(tensors[f"{original}.alpha"][0].T).T
    mixed = (weights * projected(tensors, f"{original}.proj1", moments)).sum(0)
    return np.concatenate([*parts, projected(tensors, f"{original}.proj2", mixed)])


def verdict(tensors: Tensors, vectors: Array) -> tuple[float, Array]:
    """Logit and mean attention of an image's patches."""
    query = tensors["patch_aggregator"][:, 0]
    heads, width = query.shape
    key, value = np.split(vectors @ tensors["to_kv.weight"].T, 2, axis=1)
    taken, listened = [], []
    for head in range(heads):
        one = slice(head * width, (head + 1) * width)
        attention = softmax(key[:, one] @ query[head] / math.sqrt(width))
        listened.append(attention)
        taken.append(attention @ value[:, one])
    values = linear(tensors, "to_out.0", np.concatenate(taken))
    values = norm(values, tensors["norm.weight"], tensors["norm.bias"], 1e-5)
    for layer in ("cls_head.head.0", "cls_head.head.3"):
        values = np.maximum(linear(tensors, layer, values), 0)
    return float(linear(tensors, "cls_head.head.6", values)[0]), np.mean(listened, axis=0)
