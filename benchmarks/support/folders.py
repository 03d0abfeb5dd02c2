"""Images of folders, a seeded sample where there are many."""

import random
from pathlib import Path

from img_ml.data.dataset import DatasetError


def files_of(folder: Path, most: int, seed: int = 0) -> list[Path]:
    """The files in the folder and below it, by path; at most so many, drawn by the seed.

    Raises DatasetError where there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    if not found:
        raise DatasetError(f"There are no files in {folder}: name a folder of images.")
    return found if len(found) <= most else sorted(random.Random(seed).sample(found, most))
