"""The invisible watermarks that Stability's and Black Forest Labs' own scripts write into the pixels (dwtDct)."""

import numpy as np
from numpy.typing import NDArray

from forensics.residual import planes_of
from forensics.types import Claim, ImageSample, Pixels

SCALE = 36.0
BLOCK = 4
# A block of the approximation is made of so many pixels each way.
CELL = 2 * BLOCK
LEAST_PIXELS = 256 * 256
# Blocks are numbered row by row from the top, so the upper part alone carries the message often enough.
MOST_PIXELS = 2**21

# A first look at so many blocks in so many bands, and by how many standard deviations it must come nearer to a message
# than chance does. A message that all blocks tell is nearer by far: where 11 of 20 blocks vote right, a sixth of a
# megapixel's still gives three of four bits of the shorter message, two of three of the longer.
FIRST_BLOCKS, FIRST_BANDS = 2500, 4
FIRST_SIGMAS = 1.9


def _bits(message: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(message, dtype=np.uint8))


_FLUX = "001010101111111010000111100111001111010100101110"

# Message, and how many of its bits may be read wrongly (saturated colours cost bits). An image without it matches each
# bit with probability one half, so 48 bits but 5 with 7e-9, 46 but 4 with 3e-9, 136 but 30 with 2e-11 and 32 but 1
# with 8e-9. Neighbouring blocks are not independent, so the true chances are higher; they were not counted. FLUX's
# script means 48 bits and embeds 46: it drops leading zeros.
MESSAGES = {
    "Stable Diffusion XL": (_bits(bytes.fromhex("B3EC907BB19E")), 5),
    "Stable Diffusion 2": (_bits(b"SDV2"), 1),
    "Stable Diffusion": (_bits(b"StableDiffusionV1"), 30),
    "FLUX": (np.array([int(bit) for bit in _FLUX], dtype=np.uint8), 5),
    "FLUX.1": (np.array([int(bit) for bit in _FLUX.lstrip("0")], dtype=np.uint8), 4),
}


def read_watermark(sample: ImageSample) -> tuple[Claim, ...]:
    """A claim for a known message in the pixels; it dies under JPEG quality 90, so its absence means nothing."""
    if sample.width * sample.height < LEAST_PIXELS or min(sample.width, sample.height) < 8 * BLOCK:
        return ()
    whole = _whole_cells(sample.pixels)
    first = _bands(whole)
    if len(first) < len(whole) and not _comes_near(whole, first):
        return ()
    votes = _bits_of(whole)
    for generator, (message, errors) in MESSAGES.items():
        if np.count_nonzero(read_message(votes, len(message)) != message) <= errors:
            statement = f"The pixels carry the invisible watermark of {generator}, which its own scripts write."
            return (Claim("watermark", True, True, statement, generator, declares="ai_created"),)
    return ()


def _bands(cells: Pixels) -> NDArray[np.intp]:
    """Rows of blocks for the first look, in bands all over the image; all where there are few."""
    rows = len(cells)
    # Bands are longer than a message, so that each bit has its votes however narrow the image is.
    high = -(-FIRST_BLOCKS // FIRST_BANDS // (cells.shape[2] // CELL))
    if high * FIRST_BANDS >= rows:
        return np.arange(rows)
    starts = np.linspace(0, rows - high, FIRST_BANDS).astype(np.intp)
    return np.asarray(np.unique(starts[:, None] + np.arange(high)))


def _comes_near(cells: Pixels, looked: NDArray[np.intp]) -> bool:
    """Whether the votes of some rows of blocks come nearer to a message than those of nearly all images without."""
    columns = cells.shape[2] // CELL
    votes = _bits_of(cells[looked])
    numbers = (looked[:, None] * columns + np.arange(columns)).ravel()
    for message, _ in MESSAGES.values():
        length = len(message)
        places = numbers % length
        right = np.bincount(places, weights=votes, minlength=length) > np.bincount(places, minlength=length) / 2
        if np.count_nonzero(right != message) <= length / 2 - FIRST_SIGMAS * length**0.5 / 2:
            return True
    return False


def read_message(votes: NDArray[np.bool_], length: int) -> NDArray[np.uint8]:
    """The majority of each bit over its repetitions: block n votes for bit n modulo `length`."""
    whole = len(votes) // length * length
    if whole == 0:
        return np.full(length, 2, dtype=np.uint8)
    return np.asarray(votes[:whole].reshape(-1, length).mean(axis=0) > 0.5, dtype=np.uint8)


def block_bits(pixels: Pixels) -> NDArray[np.bool_]:
    """The bit of each 4 x 4 block of the U channel's Haar approximation, row by row.

    It is whether the largest magnitude besides the corner, modulo SCALE, lies in the upper half.
    """
    return _bits_of(_whole_cells(pixels))


def _whole_cells(pixels: Pixels) -> Pixels:
    """The upper part of the image, as far as blocks are counted: rows of blocks x 8 x W x 3."""
    height, width = pixels.shape[:2]
    rows, width = min(height, MOST_PIXELS // width) // CELL, width // CELL * CELL
    return pixels[: rows * CELL, :width].reshape(rows, CELL, width, 3)


def _bits_of(cells: Pixels) -> NDArray[np.bool_]:
    rows, _, width, _ = cells.shape
    u = _chroma_u(planes_of(cells.reshape(rows * CELL, width, 3)))
    # First rows, then columns: adding whole rows is fast.
    rows_added = u[::2] + u[1::2]
    approximation = np.abs(rows_added[:, ::2] + rows_added[:, 1::2]).reshape(rows, BLOCK, width // CELL, BLOCK)
    approximation[:, 0, :, 0] = 0
    largest = approximation.max(axis=1).max(axis=2) / 2
    return np.asarray(largest % SCALE > SCALE / 2).ravel()


def _chroma_u(planes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The U channel as OpenCV computes it for 8-bit images (14-bit fixed point), which the embedder uses."""
    red, green, blue = planes.astype(np.int32)
    luma = (4899 * red + 9617 * green + 1868 * blue + 8192) >> 14
    u = ((blue - luma) * 8061 + (128 << 14) + 8192) >> 14
    return np.asarray(np.clip(u, 0, 255), dtype=np.int32)
