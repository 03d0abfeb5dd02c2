"""Images on a device: copied once, let go of with the image, never more than there is room for."""

import numpy as np
import pytest
import torch

from forensics.types import Pixels
from img_ml.engine.uploads import Uploads


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each copy made."""
    made: list[int] = []
    plain = Uploads._copied

    def counted(self: Uploads, pixels: Pixels) -> torch.Tensor:
        made.append(len(pixels))
        return plain(self, pixels)

    monkeypatch.setattr(Uploads, "_copied", counted)
    return made


def image(rows: int = 10) -> Pixels:
    return np.random.default_rng(rows).integers(0, 256, (rows, 10, 3), dtype=np.uint8)


def test_an_image_is_copied_once_and_gives_its_own_rows(copies: list[int]) -> None:
    uploads = Uploads(torch.device("cpu"))
    first, second = image(10), image(20)
    for pixels in (first, second, first):
        np.testing.assert_array_equal(uploads.rows(pixels, slice(3, 7)).numpy(), pixels[3:7])
    assert copies == [10, 20]


def test_a_copy_goes_with_its_image_and_makes_room(copies: list[int]) -> None:
    uploads = Uploads(torch.device("cpu"), most_bytes=300)
    for _ in range(3):
        pixels = image()
        uploads.rows(pixels, slice(0, 2))
        uploads.rows(pixels, slice(0, 2))
        del pixels
    assert copies == [10, 10, 10]


def test_without_room_only_the_rows_are_copied_each_time(copies: list[int]) -> None:
    uploads = Uploads(torch.device("cpu"), most_bytes=299)
    pixels = image()
    for _ in range(2):
        np.testing.assert_array_equal(uploads.rows(pixels, slice(3, 7)).numpy(), pixels[3:7])
    assert copies == [4, 4]
