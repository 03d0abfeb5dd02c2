"""Decoded images of a dataset in one file that is mapped into memory: training reads them again and again."""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from forensics.errors import DatasetError, JobError
from forensics.files import write_atomically
from forensics.reading.decode import decode
from forensics.types import Pixels

# Of a larger image the middle is kept, for a dataset of whole photographs would fill the disk.
MOST_SIDE = 512
_AT_ONCE = 256


class PixelStore:
    """The pixels of images by their paths, out of a file that `build_pixel_store` made; cheap to open."""

    def __init__(self, file: Path) -> None:
        listed = json.loads(_index(file).read_text(encoding="utf-8"))
        self._places: dict[str, tuple[int, int, int]] = {name: tuple(place) for name, place in listed.items()}
        self._bytes = np.memmap(file, dtype=np.uint8, mode="r")

    def pixels(self, path: Path) -> Pixels:
        """The image's pixels H x W x 3, or of a larger one its middle, at most MOST_SIDE a side."""
        start, height, width = self._places[str(path)]
        return np.asarray(self._bytes[start : start + height * width * 3]).reshape(height, width, 3)


def build_pixel_store(paths: Sequence[Path], folder: Path, talk: Console) -> Path:
    """Decode the images into a file of the folder, named after their names, sizes and times; one that is there is kept.

    Raises DatasetError where an image cannot be read.
    """
    file = folder / f"{_mark(paths)}.pixels"
    if file.is_file() and _index(file).is_file():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".pixels-", dir=folder)
    places: dict[str, tuple[int, int, int]] = {}
    try:
        with os.fdopen(handle, "wb") as out, ThreadPoolExecutor(os.cpu_count()) as pool:
            starts = range(0, len(paths), _AT_ONCE)
            for start in track(starts, "Decoding", console=talk, disable=not talk.is_terminal, transient=True):
                some = paths[start : start + _AT_ONCE]
                for path, pixels in zip(some, pool.map(_middle, some), strict=True):
                    places[str(path)] = (out.tell(), *pixels.shape[:2])
                    out.write(pixels.tobytes())
        write_atomically(_index(file), json.dumps(places))
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)
    return file


def _index(file: Path) -> Path:
    return file.with_suffix(".pixels.json")


def _mark(paths: Sequence[Path]) -> str:
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()[:16]


def _middle(path: Path) -> Pixels:
    try:
        pixels = decode(path.read_bytes()).pixels
    except (JobError, OSError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(
            f"{path} cannot be read: {told} python -m scripts.clean_dataset leaves such images out."
        ) from error
    top, left = (max(length - MOST_SIDE, 0) // 2 for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + MOST_SIDE, left : left + MOST_SIDE])
