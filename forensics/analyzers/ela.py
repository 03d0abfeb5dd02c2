"""Error level analysis: how differently the parts of an image react to one more JPEG compression."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.crops import spread_crops
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import block_sums, median_of, planes_of
from forensics.types import Heatmap, ImageSample, Measured, Pixels, Signal, Skipped

QUALITY = 90
BLOCK = 8
STRIP_ROWS = 512
# libjpeg writes nothing wider than 65,500 pixels.
WIDEST = 65_496
OUTLIER_SIGMAS = 6.0
PALETTE = 256

SPEC = DetectorSpec(
    name="ela",
    title="Error level analysis",
    version=2,
    numbers=(
        Number("ela_mean", 0, 255, "mean recompression error (grey levels)", "recompression error"),
        Number("ela_median", 0, 255, "typical recompression error of a block (grey levels)", "recompression error"),
        Number(
            "ela_spread", 0, 255, "spread of the recompression error over blocks (grey levels)", "recompression error"
        ),
        Number("ela_peak", 0, 255, "strongest recompression error of a block (grey levels)", feature=False),
        Number("ela_outlier_share", 0, 1, "share of blocks whose recompression error stands out", feature=False),
    ),
    looks_at="the error that one more JPEG compression at quality 90 leaves in the blocks of up to three native crops",
    fails_when="the whole image was recompressed after an edit; edges and saturated colours light up by themselves",
    source="Krawetz, A Picture's Worth, 2007",
)


def heatmap(sample: ImageSample) -> Heatmap | None:
    """The error of every whole 8 x 8 block of the image, scaled to [0, 1].

    None where it has no whole block, and for an image of few colours: a palette leaves hard steps everywhere.
    """
    if _is_palette_image(sample.pixels):
        return None
    height, width = (length // BLOCK * BLOCK for length in sample.pixels.shape[:2])
    if not height or not width:
        return None
    # Blocks do not depend on each other, so an image of any size is cut for the encoder and for bounded memory.
    blocks = np.concatenate(
        [
            np.concatenate([_blocks(_error(tile)) for tile in _cut(strip, WIDEST, axis=1)], axis=1)
            for strip in _cut(sample.pixels[:height, :width], STRIP_ROWS, axis=0)
        ]
    )
    # The floor of 8 grey levels keeps an even image dark instead of amplifying its noise.
    ceiling = max(float(np.quantile(blocks, 0.999)), 8.0)
    return np.asarray(np.clip(blocks / ceiling, 0, 1), dtype=np.float32)


@analyzer(SPEC, heatmap=heatmap)
def analyze(sample: ImageSample) -> Signal:
    """Block statistics of the recompression error; of a large image only what the crops show counts."""
    crops = spread_crops(sample.pixels, least=BLOCK)
    if not crops:
        return Skipped(SPEC.name, f"the image has a side under {BLOCK} px")
    errors = [_error(crop) for crop in crops]
    blocks = np.concatenate([_blocks(error).ravel() for error in errors])
    median = median_of(blocks)
    deviation = 1.4826 * median_of(np.abs(blocks - median))
    outliers = float(np.mean(blocks > median + OUTLIER_SIGMAS * max(deviation, 0.25)))
    numbers = {
        "ela_mean": float(np.mean([error.mean() for error in errors])),
        "ela_median": median,
        "ela_spread": float(blocks.std()),
        "ela_peak": float(blocks.max()),
        "ela_outlier_share": outliers,
    }
    sentence = (
        f"Recompression leaves a typical error of {median:.1f} grey levels; "
        f"{outliers:.1%} of the blocks stand out from the rest."
    )
    return Measured(SPEC.name, numbers, sentence)


def _is_palette_image(pixels: Pixels) -> bool:
    """Whether the image has no more colours than a palette holds, and is not simply grey."""
    sampled = pixels[:: max(1, pixels.shape[0] // 512), :: max(1, pixels.shape[1] // 512)].astype(np.uint32)
    packed = sampled[..., 0] << 16 | sampled[..., 1] << 8 | sampled[..., 2]
    colours = np.unique(packed)
    grey = (colours >> 16 == colours & 255) & (colours >> 8 & 255 == colours & 255)
    return len(colours) <= PALETTE and not bool(grey.all())


def _cut(pixels: Pixels, length: int, axis: int) -> list[Pixels]:
    return np.split(pixels, range(length, pixels.shape[axis], length), axis=axis)


def _blocks(error: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean error of each whole 8 x 8 block."""
    return block_sums(error.astype(np.float32), BLOCK) / np.float32(BLOCK**2)


def _error(pixels: Pixels) -> NDArray[np.uint8]:
    """H x W largest absolute channel difference between the pixels and their JPEG at QUALITY."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    before, after = planes_of(pixels), planes_of(np.asarray(Image.open(buffer)))
    difference = np.maximum(before, after) - np.minimum(before, after)
    return np.asarray(np.maximum(np.maximum(difference[0], difference[1]), difference[2]))
