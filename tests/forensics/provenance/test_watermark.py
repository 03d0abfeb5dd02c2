"""The dwtDct watermark: found where it was embedded, never in photographs."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from forensics.provenance.watermark import BLOCK, MESSAGES, SCALE, block_bits, read_message, read_watermark
from tests.forensics.provenance.files import sample

# Of 32 bits no more than one may be wrong, and a small photograph of strong colours costs more.
LONG = [generator for generator in MESSAGES if generator != "Stable Diffusion 2"]


def embedded(pixels: np.ndarray, message: np.ndarray) -> np.ndarray:
    """The pixels with the message in the U channel, in plain slow form (float64), after the published scheme."""
    red, green, blue = (pixels[..., i].astype(np.float64) for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = np.rint(0.492 * (blue - luma) + 128), 0.877 * (red - luma)
    number = 0
    for top in range(0, pixels.shape[0] // 8 * 8, 2 * BLOCK):
        for left in range(0, pixels.shape[1] // 8 * 8, 2 * BLOCK):
            cell = u[top : top + 8, left : left + 8].reshape(4, 2, 4, 2)
            mean = cell.sum(axis=(1, 3)) / 2
            place = int(np.argmax(np.abs(mean.ravel()[1:]))) + 1
            value = mean.ravel()[place]
            wanted = (abs(value) // SCALE + 0.25 + 0.5 * message[number % len(message)]) * SCALE
            row, column = divmod(place, 4)
            cell[row, :, column, :] += (np.copysign(wanted, value) - value) / 2
            number += 1
    u -= 128
    blue, red = u / 0.492 + luma, v / 0.877 + luma
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.clip(np.rint(np.dstack([red, green, blue])), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("photo", "generator"),
    [*(("astronaut", generator) for generator in MESSAGES), *(("chelsea", generator) for generator in LONG)],
)
def test_an_embedded_message_is_found_and_decides(photo: str, generator: str) -> None:
    marked = embedded(getattr(data, photo)(), MESSAGES[generator][0])
    (claim,) = read_watermark(sample(png(marked)))
    assert (claim.generator, claim.says_ai, claim.decisive) == (generator, True, True)


@pytest.mark.parametrize("generator", MESSAGES)
@pytest.mark.parametrize("shape", [(800, 800), (4800, 64), (64, 4800)])
def test_a_weak_message_is_found_in_a_large_image_of_any_shape(generator: str, shape: tuple[int, int]) -> None:
    large = np.resize(data.astronaut(), (*shape, 3))
    marked = embedded(large, MESSAGES[generator][0]).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 3, marked.shape)
    assert read_watermark(sample(png(np.clip(np.rint(marked + noise), 0, 255).astype(np.uint8))))


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea"])
def test_a_photograph_carries_no_message(photo: str) -> None:
    assert read_watermark(sample(png(getattr(data, photo)()))) == ()


def test_another_message_is_not_mistaken_for_a_known_one() -> None:
    other = np.random.default_rng(0).integers(0, 2, 48).astype(np.uint8)
    assert read_watermark(sample(png(embedded(data.astronaut(), other)))) == ()


def test_flat_images_carry_no_message() -> None:
    for level in (0, 127, 255):
        assert read_watermark(sample(png(np.full((300, 300, 3), level, dtype=np.uint8)))) == ()


def test_a_small_or_thin_image_is_not_looked_at() -> None:
    assert read_watermark(sample(png(np.zeros((100, 100, 3), dtype=np.uint8)))) == ()
    assert read_watermark(sample(png(np.zeros((4, 70_000, 3), dtype=np.uint8)))) == ()


def test_the_bits_of_blocks_are_numbered_row_by_row() -> None:
    message = np.array([1, 0, 0, 1, 1], dtype=np.uint8)
    votes = block_bits(embedded(data.astronaut(), message))
    assert len(votes) == (512 // 8) ** 2
    assert np.array_equal(read_message(votes, 5), message)
