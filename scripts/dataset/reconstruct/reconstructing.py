"""An aligned fake of one image: passed through an autoencoder, mixed with itself, written as the original was."""

import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from torch import Tensor, nn

from forensics.errors import WeightsError
from forensics.types import Pixels
from img_ml.networks.autoencoders.latent_diffusion import CONFIG, TENSORS, load_autoencoder, reconstructed
from img_ml.networks.autoencoders.upsampling import TENSORS as UPSAMPLING_TENSORS
from img_ml.networks.autoencoders.upsampling import is_upsampling_autoencoder, load_upsampling_autoencoder
from img_ml.train.autoencoders.psnr import psnr
from img_ml.weights.digest import file_sha256

# Raise it when the same settings give other bytes.
_VERSION = 1
# Every autoencoder shrinks a side by a divisor of it.
_MULTIPLE = 8
_MOST_PIXELS = 4_000_000
# Pillow's numbers of the chroma subsamplings that it can write.
_SAMPLINGS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """One autoencoder: its name, the SHA-256 of its tensors, and what it makes of images n x 3 x H x W in grey levels.

    H and W are multiples of 8; the reconstructions are unrounded grey levels.
    """

    name: str
    digest: str
    reconstruct: Callable[[Tensor], Tensor]
    device: str


@dataclass(frozen=True, slots=True)
class Mixing:
    """How much of a fake is reconstruction: one share for each image, drawn evenly from `least` to `most`."""

    least: float = 0.5
    most: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Original:
    """A decoded image and how its file was written: format, and of a JPEG tables, subsampling and progression."""

    pixels: Pixels
    format: str
    grey: bool
    options: dict[str, object]


@dataclass(frozen=True, slots=True)
class Fake:
    """The file of a fake, and how near the reconstruction alone came to its original, in dB."""

    data: bytes
    psnr: float


class UnfitError(Exception):
    """The image gives no aligned fake; the text is the reason in a few words."""


def load_any(folder: Path, device: str) -> Autoencoder:
    """The autoencoder of a folder: one trained here, or an AutoencoderKL in the layout of diffusers.

    Raises WeightsError where it is neither.
    """
    name = folder.resolve().name
    if is_upsampling_autoencoder(folder):
        upsampling = load_upsampling_autoencoder(folder).to(device).to(memory_format=torch.channels_last)
        return Autoencoder(name, file_sha256(folder / UPSAMPLING_TENSORS), partial(_forward, upsampling), device)
    missing = [file for file in (CONFIG, TENSORS) if not (folder / file).is_file()]
    if missing:
        raise WeightsError(
            f"{folder} holds no {missing[0]}: name a folder that python -m img_ml.train upsampling_autoencoder made, "
            "or one of an AutoencoderKL saved by diffusers."
        )
    published = load_autoencoder(folder, str(folder)).to(device)
    return Autoencoder(name, file_sha256(folder / TENSORS), partial(reconstructed, published), device)


def _forward(network: nn.Module, images: Tensor) -> Tensor:
    again: Tensor = network(images)[0]
    return again.clamp(0, 255)


def read_original(data: bytes) -> Original:
    """The image and how it was written. Raises UnfitError where a fake could not be written in the same way."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise UnfitError("too many pixels")
                if image.mode not in ("RGB", "L"):
                    raise UnfitError("neither RGB nor grey")
                options = _jpeg_options(image) if isinstance(image, JpegImageFile) else {}
                grey, written = image.mode == "L", "JPEG" if options else "PNG"
                return Original(np.asarray(image.convert("RGB")), written, grey, options)
    except UnidentifiedImageError:
        raise UnfitError("neither JPEG nor PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UnfitError("damaged") from None


def _jpeg_options(image: JpegImageFile) -> dict[str, object]:
    """What makes Pillow write a JPEG with the quantisation tables, the subsampling and the scans of this one."""
    subsampling = get_sampling(image) if image.mode == "RGB" else 0
    if subsampling not in _SAMPLINGS:
        raise UnfitError("an unusual chroma subsampling")
    tables = [list(table) for table in image.quantization.values()]
    return {"qtables": tables, "subsampling": subsampling, "progressive": "progressive" in image.info}


def key_of(sha256: str, autoencoder: Autoencoder, mixing: Mixing) -> str:
    """What a fake follows from, as 16 hex digits: the image, the autoencoder, and how the two are mixed."""
    parts = (_VERSION, sha256, autoencoder.digest, mixing.least, mixing.most, mixing.seed)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def ratio_of(sha256: str, autoencoder: Autoencoder, mixing: Mixing) -> float:
    """The share of the reconstruction in the fake of that image."""
    random = np.random.default_rng(int(key_of(sha256, autoencoder, mixing), 16))
    return float(random.uniform(mixing.least, mixing.most))


def make_fake(original: Original, autoencoder: Autoencoder, ratio: float) -> Fake:
    """The fake: each pixel `ratio` of the reconstruction and the rest of the original, of its size and encoding."""
    again = _reconstruction(original.pixels, autoencoder)
    if original.grey:
        again = again @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32).repeat(3, axis=1)
    exact = original.pixels.astype(np.float32)
    error = float(np.square(again - exact).mean())
    mixed = Image.fromarray(np.clip(ratio * again + (1 - ratio) * exact, 0, 255).round().astype(np.uint8))
    file = io.BytesIO()
    (mixed.convert("L") if original.grey else mixed).save(file, original.format, **original.options)
    return Fake(file.getvalue(), psnr(error))


def _reconstruction(pixels: Pixels, autoencoder: Autoencoder) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The unrounded reconstruction; sides that are no multiple of 8 are mirrored on and cut again."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % _MULTIPLE), (0, -width % _MULTIPLE), (0, 0)), mode="symmetric")
    images = torch.from_numpy(padded)[None].to(autoencoder.device).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        again = autoencoder.reconstruct(images)[0].permute(1, 2, 0).float().cpu().numpy()
    return np.asarray(again[:height, :width], dtype=np.float32)
