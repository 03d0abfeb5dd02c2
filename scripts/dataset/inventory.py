"""The facts of many image files, each read once, on all cores: identity, size, fingerprint, encoding."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from forensics.errors import DatasetError, ImgMlError
from forensics.reading.decode import decode
from fusion.training.process_pool import process_pool
from scripts.dataset.encoding import Encoding, encoding_of

THUMBNAIL = 16
MOST_BYTES = 256 * 2**20
# Starting processes takes longer than reading this many images.
_FEW = 48


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of one readable image.

    `perceptual_hash` is the 64-bit DCT hash of imagehash, `thumbnail` THUMBNAIL x THUMBNAIL x 3 uint8.
    """

    path: Path
    sha256: str
    width: int
    height: int
    format: str
    perceptual_hash: int
    thumbnail: NDArray[np.uint8] = field(repr=False, compare=False)
    encoding: Encoding = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that gave no image: `problem` says why in a sentence.

    `reason` is `missing` where there is no file, `unreadable` where what it holds is no usable image, `not_read` where
    the system did not give its bytes, which says nothing about them.
    """

    path: Path
    reason: Literal["missing", "unreadable", "not_read"]
    problem: str


def take_inventory(paths: Iterable[Path]) -> dict[Path, ImageFacts | Unreadable]:
    """The facts of every distinct path, in the order given.

    Raises DatasetError where a file brings its reading process down.
    """
    distinct = list(dict.fromkeys(paths))
    if len(distinct) <= _FEW:
        return {path: read_facts(path) for path in distinct}
    try:
        with process_pool() as pool:
            return dict(zip(distinct, _tracked(pool.map(read_facts, distinct, chunksize=16), distinct), strict=True))
    except BrokenProcessPool:
        raise DatasetError(
            "A process that read the images died: a file is damaged in a way that breaks its decoder, or the memory "
            "is full. Look at the files added last, or read fewer folders at a time."
        ) from None


def _tracked(results: Iterator[ImageFacts | Unreadable], paths: Sequence[Path]) -> Iterator[ImageFacts | Unreadable]:
    console = Console(stderr=True)
    yield from track(results, "Reading images", total=len(paths), console=console, disable=not console.is_terminal)


def read_facts(path: Path) -> ImageFacts | Unreadable:
    """The facts of one file, or why there are none; never raises for what the file holds."""
    try:
        if not path.is_file():
            return Unreadable(path, "missing", "There is no such file.")
        if path.stat().st_size > MOST_BYTES:
            return Unreadable(path, "unreadable", f"The file is larger than {MOST_BYTES // 2**20} MiB.")
        if not _is_utf8(path):
            return Unreadable(path, "unreadable", "The file's name is not valid UTF-8, so no CSV can hold it.")
        sample = decode(path.read_bytes())
        image = Image.fromarray(sample.pixels)
        return ImageFacts(
            path,
            sample.sha256,
            sample.width,
            sample.height,
            sample.media_type.removeprefix("image/").upper(),
            int(str(imagehash.phash(image)), 16),
            np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)),
            encoding_of(sample),
        )
    except ImgMlError as error:
        return Unreadable(path, "unreadable", str(error))
    except OSError as error:
        return Unreadable(path, "not_read", f"The file cannot be read: {error.strerror or error}.")


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
