"""A small fusion trained in seconds on images made for it, shared by the fusion tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from typer.testing import CliRunner

from fusion.train_fusion import app

SOURCES = 6
IMAGES = 12


def photo_like(seed: int, *, smooth: bool, cells: int = 14) -> Image.Image:
    """A cloud of colours, 16 px for each of its `cells` a side; `smooth` ones lack the fine grain that others carry."""
    random, side = np.random.default_rng(seed), 16 * cells
    colours = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
    cloud = colours.resize((side, side), Image.BICUBIC)
    pixels = np.asarray(cloud.filter(ImageFilter.GaussianBlur(2)), dtype=np.float64)
    grain = random.normal(0, 1 if smooth else 7, (side, side, 1))
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def write_dataset(folder: Path) -> Path:
    """A dataset of two classes that differ by grain, six sources each, one of each class in test."""
    lines = ["filepath,label,split,source,kind"]
    for source in range(SOURCES):
        for label in (0, 1):
            for index in range(IMAGES):
                name = f"{source}-{label}-{index}.png"
                photo_like(source * 100 + label * 50 + index, smooth=label == 1, cells=13).save(folder / name)
                split = "test" if source == 0 else "val" if source == 1 else "train"
                lines.append(f"{name},{label},{split},s{source}-{label},{'ai' if label else 'real'}")
    path = folder / "dataset.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feature cache that all trainings share: what one of them measured, the next does not measure again."""
    return tmp_path_factory.mktemp("features")


Train = Callable[..., Path]


@pytest.fixture(scope="session")
def train(dataset: Path, cache: Path) -> Train:
    """Trains an artifact into a folder by the command itself."""

    def run(folder: Path, *options: str) -> Path:
        arguments = [
            "--dataset",
            str(dataset),
            "--cache",
            str(cache),
            "--out",
            str(folder),
            "--views",
            "1",
            "--profile",
            "tiny",
        ]
        result = CliRunner().invoke(app, [*arguments, *options])
        assert result.exit_code == 0, result.output
        return folder

    return run


@pytest.fixture(scope="session")
def artifact(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `light` artifact."""
    return train(tmp_path_factory.mktemp("models") / "light")


@pytest.fixture(scope="session")
def logistic(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact whose model is a logistic regression."""
    return train(tmp_path_factory.mktemp("models") / "logistic", "--model", "logistic")


@pytest.fixture(scope="session")
def network(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact whose model is a small network, kept as a joblib."""
    return train(tmp_path_factory.mktemp("models") / "network", "--model", "mlp")


@pytest.fixture(scope="session")
def stack(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact whose model is a stack of all three."""
    return train(tmp_path_factory.mktemp("models") / "stack", "--model", "stack")
