"""Decoded images in one file: what comes out is what went in, and a file that fits is not made again."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from img_ml.data.dataset import DatasetError
from img_ml.train.pixel_store import MOST_SIDE, PixelStore, build_pixel_store

TALK = Console(quiet=True)


def images(folder: Path) -> dict[Path, np.ndarray]:
    random = np.random.default_rng(0)
    found = {}
    for number, shape in enumerate([(64, 80), (MOST_SIDE + 100, 70), (90, MOST_SIDE + 41)]):
        pixels = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        found[path] = pixels
    return found


def test_pixels_come_back_exactly_and_the_middle_of_large_images(tmp_path: Path) -> None:
    written = images(tmp_path)
    store = PixelStore(build_pixel_store(sorted(written), tmp_path / "store", TALK))
    small, tall, wide = sorted(written)
    assert np.array_equal(store.pixels(small), written[small])
    assert np.array_equal(store.pixels(tall), written[tall][50 : 50 + MOST_SIDE])
    assert np.array_equal(store.pixels(wide), written[wide][:, 20 : 20 + MOST_SIDE])


def test_a_store_is_kept_until_an_image_changes(tmp_path: Path) -> None:
    paths = sorted(images(tmp_path))
    first = build_pixel_store(paths, tmp_path / "store", TALK)
    written = first.stat().st_mtime_ns
    assert build_pixel_store(paths, tmp_path / "store", TALK) == first
    assert first.stat().st_mtime_ns == written
    os.utime(paths[0], ns=(1, 1))
    assert build_pixel_store(paths, tmp_path / "store", TALK) != first


def test_an_image_that_cannot_be_read_is_named_and_nothing_half_made_stays(tmp_path: Path) -> None:
    paths = sorted(images(tmp_path))
    paths[1].write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"1\.png cannot be read"):
        build_pixel_store(paths, tmp_path / "store", TALK)
    assert list((tmp_path / "store").iterdir()) == []
