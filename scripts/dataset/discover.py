"""The image files below folders, each once, in one order whatever the file system's."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from forensics.errors import DatasetError
from img_ml.data.dataset import IMAGE_ENDINGS

_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir"}


def find_images(roots: Sequence[Path]) -> list[tuple[Path, Path]]:
    """(root, path) of each image file, by the ending of its name; hidden files and linked folders are passed over.

    Of roots inside one another the outermost counts. Raises DatasetError for a root that is no folder.
    """
    for root in roots:
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "does not exist"
            raise DatasetError(f"{root} {what}: name folders that hold labelled images, such as DATA/real and DATA/ai.")
    found: dict[Path, tuple[Path, Path]] = {}
    for root in sorted(roots, key=lambda root: (len(root.resolve().parts), str(root))):
        for path in _below(root):
            found.setdefault(path.parent.resolve() / path.name, (root, path))
    return [found[place] for place in sorted(found)]


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SYSTEM_FOLDERS]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in IMAGE_ENDINGS:
                yield path


def _raise(error: OSError) -> None:
    raise error
