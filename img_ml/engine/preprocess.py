"""Pixels into a network's input on the device, bit for bit as Pillow resizes them, only where the crop looks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.types import Pixels
from img_ml.engine.uploads import Uploads
from img_ml.weights.record import Filter, Preprocessing

# Pillow's fixed point: weights are multiples of 2^-22, and each of the two passes rounds to whole grey levels.
_PRECISION = 1 << 22
# Output pixels whose weights form one matrix on a CPU: large enough for BLAS, small enough to hold few zeros.
_BLOCK = 16
# Values (8 bytes each) held at once while a large image is resized.
_MOST_VALUES = 1 << 24
# How many times as wide as the window a resized image may be to be made as a whole.
_WIDEST = 4
# From this length on the processor of ConvNeXT squashes to a square; below it, it keeps the middle.
_CONVNEXT_UNCROPPED, _CONVNEXT_CROP = 384, 224 / 256
_RESAMPLE: Mapping[int, Filter] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
_PILLOW: Mapping[Filter, Image.Resampling] = {name: Image.Resampling(number) for number, name in _RESAMPLE.items()}


@dataclass(frozen=True, slots=True)
class Window:
    """A range of output pixels along one axis: the image resized from `before` to `after`, of which `size` are kept.

    Where the image is smaller than the crop, `start` is negative: what lies outside is black, as the processors pad.
    """

    before: int
    after: int
    start: int
    size: int


class Preprocessor:
    """What `Preprocessing` describes, on one device: H x W x 3 uint8 pixels in, 3 x crop x crop float32 out."""

    def __init__(self, facts: Preprocessing, device: str) -> None:
        self.facts = facts
        self._device = torch.device(device)
        self._mean = torch.tensor(facts.mean, device=self._device).view(3, 1, 1)
        self._std = torch.tensor(facts.std, device=self._device).view(3, 1, 1)

    def __call__(self, pixels: Pixels) -> Tensor:
        """The normalised crop, on the device."""
        height, width = windows(self.facts, pixels.shape[0], pixels.shape[1])
        cropped = resized(pixels, height, width, self.facts.resample, self._device)
        return (cropped / 255 - self._mean) / self._std


def windows(facts: Preprocessing, height: int, width: int) -> tuple[Window, Window]:
    """What the resize and the centre crop keep of an image of that size: its rows and its columns."""
    if facts.squash:
        after = (facts.squash, facts.squash)
    elif facts.shortest:
        short, long = min(height, width), max(height, width)
        longer = int(facts.shortest * long / short)
        after = (facts.shortest, longer) if height <= width else (longer, facts.shortest)
    else:
        after = (height, width)
    return _window(height, after[0], facts), _window(width, after[1], facts)


def _window(before: int, after: int, facts: Preprocessing) -> Window:
    margin = after - facts.crop
    start = math.floor(margin / 2) if facts.centre == "down" or margin < 0 else round(margin / 2)
    return Window(before, after, start, facts.crop)


def resized(pixels: Pixels, height: Window, width: Window, resample: Filter, device: torch.device) -> Tensor:
    """The windows of the resized image, 3 x height x width float32 with whole values from 0 to 255.

    The same values as `PIL.Image.resize` gives, along the rows first, then along the columns: the order of every
    Pillow before 13, with which the networks were trained (13 turns it round for some tall images). Sums of 8-bit
    values and 22-bit weights are exact in float64, whatever their order; on mps, which has float32 only, a value that
    lies between two grey levels may fall to the other side.
    """
    rows = _rows_needed(height, resample)
    exact = torch.float32 if device.type == "mps" else torch.float64
    if device.type == "cpu" and width.after <= _WIDEST * width.size and _pillow_agrees(resample):
        narrow = _by_pillow(pixels[rows], width, resample).to(exact)
    else:
        narrow = _by_matrices(_uploads(device).rows(pixels, rows), width, resample, exact)
    return _along(narrow.transpose(1, 2), height, resample, rows.start).transpose(1, 2).float()


@cache
def _uploads(device: torch.device) -> Uploads:
    # On a CPU there is nothing to save: an image that is looked at once more is copied once more.
    return Uploads(device, 0) if device.type == "cpu" else Uploads(device)


def _by_matrices(pixels: Tensor, width: Window, resample: Filter, exact: torch.dtype) -> Tensor:
    """The rows resized to the window, 3 x rows x width, where they are."""
    source = pixels.permute(2, 0, 1)
    step = max(1, _MOST_VALUES // (3 * source.shape[2]))
    tops = range(0, source.shape[1], step)
    return torch.cat([_along(source[:, top : top + step].to(exact), width, resample, 0) for top in tops], dim=1)


def _by_pillow(pixels: Pixels, width: Window, resample: Filter) -> Tensor:
    """The same by Pillow itself, which is several times as fast on a CPU: one pass alone, so that no order matters."""
    low, high = max(width.start, 0), min(width.start + width.size, width.after)
    whole = Image.fromarray(pixels).resize((width.after, pixels.shape[0]), _PILLOW[resample])
    out = torch.zeros((pixels.shape[0], width.size, 3), dtype=torch.uint8)
    out[:, low - width.start : high - width.start] = torch.from_numpy(np.array(whole)[:, low:high])
    return out.permute(2, 0, 1)


@cache
def _pillow_agrees(resample: Filter) -> bool:
    """Whether the installed Pillow computes as Pillow does: builds with other arithmetic go by its name too."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 61, 3), dtype=np.uint8)
    whole = [Window(61, after, 0, after) for after in (23, 150)]
    return all(
        torch.equal(
            _by_pillow(pixels, one, resample).double(),
            _by_matrices(torch.from_numpy(pixels), one, resample, torch.float64),
        )
        for one in whole
    )


def _rows_needed(window: Window, resample: Filter) -> slice:
    blocks = _blocks(window, resample, window.size)
    return slice(blocks[0].first, blocks[-1].last) if blocks else slice(0, 1)


def _along(values: Tensor, window: Window, resample: Filter, offset: int) -> Tensor:
    """The window of the last axis resized; `values` starts at input pixel `offset` of that axis."""
    block = window.size if values.device.type == "cuda" else _BLOCK
    out = values.new_zeros((*values.shape[:-1], window.size))
    for part in _matrices(window, resample, block, values.device, values.dtype):
        seen = values[..., part.first - offset : part.last - offset]
        # Half a level up and down again is how Pillow rounds; clamping is part of its every pass.
        out[..., part.place : part.place + part.matrix.shape[1]] = torch.floor(seen @ part.matrix + 0.5).clamp_(0, 255)
    return out


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring output pixels from `place` on: their weights over the input pixels [first, last)."""

    place: int
    first: int
    last: int
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Matrix:
    place: int
    first: int
    last: int
    matrix: Tensor


@lru_cache(maxsize=64)
def _matrices(
    window: Window, resample: Filter, block: int, device: torch.device, dtype: torch.dtype
) -> tuple[_Matrix, ...]:
    return tuple(
        _Matrix(b.place, b.first, b.last, torch.from_numpy(b.weights.T.copy()).to(device, dtype))
        for b in _blocks(window, resample, block)
    )


@lru_cache(maxsize=64)
def _blocks(window: Window, resample: Filter, size: int) -> tuple[_Block, ...]:
    low, high = max(window.start, 0), min(window.start + window.size, window.after)
    return tuple(
        _block(window, resample, start, min(start + size, high)) for start in range(low, high, size) if start < high
    )


def _block(window: Window, resample: Filter, start: int, stop: int) -> _Block:
    """Pillow's weights (precompute_coeffs and normalize_coeffs_8bpc in its Resample.c) of some output pixels."""
    kernel, reach = _KERNELS[resample]
    scale = window.before / window.after
    spread = max(scale, 1.0)
    support = reach * spread
    centres = (np.arange(start, stop) + 0.5) * scale
    first = np.maximum(np.trunc(centres - support + 0.5), 0).astype(np.int64)
    last = np.minimum(np.trunc(centres + support + 0.5), window.before).astype(np.int64)
    if window.before == window.after:
        first, last = np.arange(start, stop), np.arange(start, stop) + 1
    seen = first[:, None] + np.arange((last - first).max())
    weights = kernel((seen - centres[:, None] + 0.5) / spread)
    weights[seen >= last[:, None]] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    fixed = np.trunc(weights * _PRECISION + np.where(weights < 0, -0.5, 0.5))
    low, high = int(first.min()), int(last.max())
    dense = np.zeros((len(first), high - low))
    rows, columns = np.nonzero(seen < last[:, None])
    dense[rows, seen[rows, columns] - low] = fixed[rows, columns] / _PRECISION
    return _Block(start - window.start, low, high, dense)


def _bilinear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.maximum(1 - np.abs(x), 0)
    return found


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a, x = -0.5, np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    found: NDArray[np.float64] = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return found


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    return found


_KERNELS: Mapping[Filter, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def published(path: Path) -> Preprocessing:
    """What a `preprocessor_config.json` of transformers says; WeightsError where it asks for something else."""
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        return _preprocessing(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not describe a known preprocessing: {error}") from error


def _preprocessing(content: Mapping[str, Any]) -> Preprocessing:
    if "ConvNext" in _processor(content):
        content = _like_convnext(content)
    size = content["size"] if isinstance(content["size"], Mapping) else {_plain_size(content): content["size"]}
    shortest, squash = int(size.get("shortest_edge", 0)), int(size.get("height", 0))
    if squash and squash != int(size.get("width", squash)):
        raise ValueError("its size is not a square")
    if not content.get("do_resize", True):
        shortest = squash = 0
    crop = content.get("crop_size") if content.get("do_center_crop", "crop_size" in content) else None
    if isinstance(crop, Mapping):
        crop = crop["height"] if crop["height"] == crop["width"] else 0
    side = int(crop or squash)
    if side == 0:
        raise ValueError("its result has no fixed square size")
    if not math.isclose(content.get("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-6):
        raise ValueError("it does not scale to [0, 1]")
    mean, std = (tuple(float(value) for value in content[name]) for name in ("image_mean", "image_std"))
    return Preprocessing(
        crop=side,
        mean=(mean[0], mean[1], mean[2]),
        std=(std[0], std[1], std[2]),
        shortest=shortest,
        squash=squash,
        resample=_RESAMPLE[int(content.get("resample", 3))],
        centre="down",
    )


def _processor(content: Mapping[str, Any]) -> str:
    """The class that applies the file, under its newer or its older name."""
    return str(content.get("image_processor_type") or content.get("feature_extractor_type") or "")


def _plain_size(content: Mapping[str, Any]) -> str:
    """What a size that is one number means: a square for the processor of ViT, which crops nothing."""
    return "height" if _processor(content).startswith(("ViT", "DeiT")) else "shortest_edge"


def _like_convnext(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the processor of ConvNeXT does with its one length, said as the others say it."""
    size = content["size"]
    side = int(size["shortest_edge"] if isinstance(size, Mapping) else size)
    if side >= _CONVNEXT_UNCROPPED:
        return {**content, "size": {"height": side, "width": side}, "do_center_crop": False}
    shortest = int(side / float(content.get("crop_pct") or _CONVNEXT_CROP))
    return {**content, "size": {"shortest_edge": shortest}, "do_center_crop": True, "crop_size": side}
