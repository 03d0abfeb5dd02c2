"""A dataset of two classes that differ in their noise, small enough to be learned in seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

SOURCES = 6
IMAGES = 4


def picture(seed: int, *, smooth: bool) -> Image.Image:
    """A cloud of colours of 300 x 260; `smooth` ones lack the coarse grain that the others carry."""
    random = np.random.default_rng(seed)
    cloud = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((300, 260), Image.BICUBIC)
    pixels = np.asarray(cloud.filter(ImageFilter.GaussianBlur(2)), dtype=np.float64)
    grain = random.normal(0, 2 if smooth else 14, (260, 300, 1))
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources hold both classes; one source is the test split, and its files are no images."""
    folder = tmp_path_factory.mktemp("dataset")
    lines = ["filepath,label,split,source"]
    for source in range(SOURCES + 1):
        for label in (0, 1):
            for index in range(IMAGES):
                name = f"{source}-{label}-{index}.png"
                if source == SOURCES:
                    (folder / name).write_bytes(b"not looked at")
                else:
                    picture(100 * source + 10 * label + index, smooth=label == 1).save(folder / name)
                split = "test" if source == SOURCES else "val" if source == 0 else "train"
                lines.append(f"{name},{label},{split},s{source}")
    path = folder / "dataset.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
