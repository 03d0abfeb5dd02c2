"""Different files out of the photographs that installed packages carry: crops, resized, encoded as JPEG."""

import io
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

MEGAPIXEL = 1_000_000
_FROM_SKIMAGE = ("astronaut", "coffee", "chelsea", "rocket")
_QUALITIES = (80, 85, 90, 95)


def photographs() -> list[Image.Image]:
    """The whole pictures."""
    found = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    found += [Image.fromarray(getattr(data, name)()) for name in _FROM_SKIMAGE]
    with Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg") as picture:
        found.append(picture.convert("RGB"))
    return found


def files(count: int, *, pixels: int = MEGAPIXEL, seed: int = 0) -> list[bytes]:
    """So many JPEG files of about so many pixels, the same for the same seed."""
    random = np.random.default_rng(seed)
    pictures = photographs()
    return [_file(pictures[number % len(pictures)], pixels, random) for number in range(count)]


def write(folder: Path, contents: list[bytes]) -> list[str]:
    """Put each file into the folder; their names."""
    names = [f"{number:05d}.jpg" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        (folder / name).write_bytes(content)
    return names


def read(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file."""
    for path in sorted(folder.glob("*.jpg")):
        yield path.name, path.read_bytes()


def _file(picture: Image.Image, pixels: int, random: np.random.Generator) -> bytes:
    share = random.uniform(0.6, 1.0)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = random.integers(0, picture.width - width + 1), random.integers(0, picture.height - height + 1)
    crop = picture.crop((int(left), int(top), int(left) + width, int(top) + height))
    scale = (pixels / (width * height)) ** 0.5
    size = max(8, round(width * scale)), max(8, round(height * scale))
    target = io.BytesIO()
    quality = int(random.choice(_QUALITIES))
    crop.resize(size, Image.Resampling.BICUBIC).save(target, "JPEG", quality=quality)
    return target.getvalue()
