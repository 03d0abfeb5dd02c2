"""The image files of a folder, by the ending of their name; hidden files, such as macOS's `._x.jpg`, are none."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from img_ml.data.dataset import IMAGE_ENDINGS, DatasetError

_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir"}


def image_files(folder: Path, *, below: bool = True) -> list[Path]:
    """The images of the folder, sorted, with those of the folders `below`; DatasetError where there are none."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    # The walk begins with what lies right in the folder.
    walk = walk_images(folder)
    found = sorted(walk if below else itertools.takewhile(lambda path: path.parent == folder, walk))
    if not found:
        raise DatasetError(f"{folder} holds no images.")
    return found


def walk_images(root: Path) -> Iterator[Path]:
    """The images of a folder and those below it, in no order; linked, hidden and system folders are passed over."""
    for folder, folders, names in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SYSTEM_FOLDERS]
        for path in (Path(folder, name) for name in names):
            if not path.name.startswith(".") and path.suffix.lower() in IMAGE_ENDINGS and path.is_file():
                yield path


def _raise(error: OSError) -> None:
    raise error
