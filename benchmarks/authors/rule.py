"""How weights and images follow from a seed: the same rule filled the authors' networks when the fixtures were made.

Nothing of the authors' is copied, and nothing but the raw stream of numpy's PCG64 is drawn from, which numpy promises
to keep as it is.
"""

import hashlib
import io
import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

# Height and width of the ten pictures.
SIZES = (
    (256, 256),
    (300, 400),
    (224, 224),
    (180, 320),
    (120, 90),
    (500, 333),
    (64, 64),
    (448, 448),
    (231, 517),
    (320, 240),
)
_SQUARE = 32


def uniform(seed: int, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Values in [0, 1) that follow from seed, name and shape."""
    digest = hashlib.sha256(f"{seed} {name} {','.join(map(str, shape))}".encode()).digest()
    raw = np.random.PCG64(int.from_bytes(digest[:8], "little")).random_raw(math.prod(shape))
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53, dtype=np.float64).reshape(shape)


def tensor(seed: int, name: str, shape: tuple[int, ...], gain: float = 1.0) -> Tensor:
    """The tensor of that name.

    Matrices and kernels have the variance `gain`^2 / (values of a row), scales and running variances lie around 1,
    single numbers around 2, and everything else around 0.
    """
    values = 2 * uniform(seed, name, shape) - 1
    if name.endswith("running_var"):
        values = 1 + 0.5 * values
    elif not shape:
        values = 2 + 0.2 * values
    elif len(shape) > 1:
        values = gain * values * math.sqrt(3 * shape[0] / math.prod(shape))
    elif name.endswith("weight"):
        values = 1 + 0.2 * values
    else:
        values = 0.2 * values
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def tensors(layout: Mapping[str, Tensor], seed: int, gain: float = 1.0, prefix: str = "") -> dict[str, Tensor]:
    """The tensors in place of those of a state dict; masks and counters, which are whole numbers, stay.

    `prefix` stands before each name in the authors' files.
    """
    return {
        name: tensor(seed, prefix + name, tuple(value.shape), gain) if value.is_floating_point() else value
        for name, value in layout.items()
    }


def values(seed: int, name: str, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """An input between both ends."""
    return torch.from_numpy(((high - low) * uniform(seed, name, shape) + low).astype(np.float32))


def picture(seed: int, number: int) -> NDArray[np.uint8]:
    """One of the ten pictures: squares of colour under noise, which grows from picture to picture."""
    height, width = SIZES[number]
    coarse = uniform(seed, f"coarse {number}", (math.ceil(height / _SQUARE), math.ceil(width / _SQUARE), 3))
    fine = uniform(seed, f"fine {number}", (height, width, 3)) - 0.5
    squares = np.kron(coarse, np.ones((_SQUARE, _SQUARE, 1)))[:height, :width]
    return (255 * np.clip(squares + (0.05 + 0.08 * number) * fine, 0, 1)).astype(np.uint8)


def files(seed: int, numbers: Iterable[int]) -> list[bytes]:
    """The pictures as PNG."""
    found = []
    for number in numbers:
        buffer = io.BytesIO()
        Image.fromarray(picture(seed, number)).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


def noted(found: Tensor | NDArray[np.floating] | list[float], most: int = 64) -> list[float]:
    """What a fixture keeps of a result: all of it, or about that many values evenly spread."""
    flat = np.asarray(found, dtype=np.float64).ravel()
    return [float(value) for value in flat[:: max(1, len(flat) // most)]]
