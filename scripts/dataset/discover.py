"""The image files below folders, each once, in one order whatever the file system's."""

from collections.abc import Sequence
from pathlib import Path

from forensics.errors import DatasetError
from img_ml.data.image_files import walk_images


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
        for path in walk_images(root):
            found.setdefault(path.parent.resolve() / path.name, (root, path))
    return [found[place] for place in sorted(found)]
