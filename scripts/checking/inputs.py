"""What a person names on the command line, as single images: files, folders, patterns, lists, standard input, URLs."""

import glob
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from forensics.errors import NotAnImageError
from forensics.reading.sniff import media_type_of

STDIN = "-"
_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "webp",
        "gif",
        "bmp",
        "tif",
        "tiff",
        "heic",
        "heif",
        "avif",
        "jxl",
    )
)
_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Given:
    """One image to check: its name, and its bytes where they came on standard input."""

    name: str
    data: bytes | None = None


def given(names: Iterable[str]) -> Iterator[Given]:
    """Each image that the names stand for, in order.

    A folder stands for the images in it and below, a pattern for the files that match, `-` for standard input: one
    image's bytes, or a list of names, one a line. A path may be written as a terminal writes one that was dragged
    there: quoted, with escaped spaces, with `~`, or as a file URL.
    """
    for name in names:
        if name == STDIN:
            yield from _from_stdin()
        else:
            yield from _of_name(name)


def dropped(line: str) -> list[str]:
    """The names in a line that a person typed or dragged files into; the whole line where it names a file."""
    line = line.strip()
    if not line or "://" in line or _exists(Path(line)):
        return [line] if line else []
    try:
        parts = shlex.split(line, posix=os.name != "nt")
    except ValueError:  # an apostrophe, for one
        return [line]
    return parts if len(parts) > 1 and all(_exists(_path(part)) for part in parts) else [line]


def _from_stdin() -> Iterator[Given]:
    data = sys.stdin.buffer.read()
    if not data or _is_binary(data):
        yield Given("standard input", data)
        return
    lines = (line.strip() for line in data.decode("utf-8", errors="surrogateescape").splitlines())
    for line in lines:
        if line and line != STDIN:
            yield from _of_name(line)


def _is_binary(data: bytes) -> bool:
    try:
        media_type_of(data)
    except NotAnImageError:
        return b"\0" in data[:4096]
    return True


def _of_name(name: str) -> Iterator[Given]:
    if "://" in name and not name.lower().startswith("file://"):
        yield Given(name)
        return
    path = _path(name)
    if path.is_dir():
        yield from (Given(str(file)) for file in _images_in(path))
    elif _PATTERN & set(name) and not _exists(path):
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - patterns may be absolute
        yield from (Given(one) for one in found if Path(one).is_file()) if found else (Given(name),)
    else:
        yield Given(str(path))


def _images_in(folder: Path) -> list[Path]:
    """The image files in the folder and below it, by name; hidden ones are left out."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        found += [
            Path(place, one)
            for one in sorted(files)
            if not one.startswith(".") and Path(one).suffix.lower() in _SUFFIXES
        ]
    return found


def _path(name: str) -> Path:
    """The path that a name means: as written where that exists, else without what a terminal adds to a dragged one."""
    plain = Path(name)
    if _exists(plain):
        return plain
    for candidate in _readings(name):
        if _exists(candidate):
            return candidate
    return plain


def _readings(name: str) -> Iterator[Path]:
    text = name.strip()
    if text.lower().startswith("file://"):
        yield Path(unquote(urlsplit(text).path))
        return
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    yield Path(text).expanduser()
    try:
        parts = shlex.split(text)
    except ValueError:
        return
    if len(parts) == 1:
        yield Path(parts[0]).expanduser()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or one with a null byte
        return False
