"""The facts of many image files, each read once, on all cores: identity, size, fingerprint, encoding."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from forensics.errors import ImgMlError, JobError
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox.sandbox import Sandbox
from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load as load_settings
from img_ml.command import talk_console
from scripts.dataset.encoding import Encoding, encoding_of

THUMBNAIL = 16
MOST_BYTES = 256 * 2**20
_LIMITS = DecodeLimits()


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
    """The facts of every distinct path, in the order given; a file that brings its reader down is unreadable."""
    distinct = list(dict.fromkeys(paths))
    console = talk_console()
    with Sandbox(load_settings(SandboxSettings).sandbox_rules()) as sandbox:
        found = sandbox.each(read_facts, ((path, sandbox.rules.limits) for path in distinct))
        shown = track(found, "Reading images", total=len(distinct), console=console, disable=not console.is_terminal)
        return {
            path: Unreadable(path, "unreadable", str(one)) if isinstance(one, JobError) else one
            for path, one in zip(distinct, shown, strict=True)
        }


def read_facts(path: Path, limits: DecodeLimits = _LIMITS) -> ImageFacts | Unreadable:
    """The facts of one file, or why there are none; never raises for what the file holds."""
    try:
        if not path.is_file():
            return Unreadable(path, "missing", "There is no such file.")
        if path.stat().st_size > MOST_BYTES:
            return Unreadable(path, "unreadable", f"The file is larger than {MOST_BYTES // 2**20} MiB.")
        if not _is_utf8(path):
            return Unreadable(path, "unreadable", "The file's name is not valid UTF-8, so no CSV can hold it.")
        sample = decode(path.read_bytes(), limits)
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
