"""Error level analysis: how differently the parts of an image react to one more JPEG compression."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.registry import DetectorSpec, Number, analyzer
from forensics.types import Heatmap, ImageSample, Measured, Pixels, Signal, Skipped

QUALITY = 90
BLOCK = 8
STRIP_ROWS = 512
# libjpeg writes nothing wider; the height is cut into strips anyway.
WIDEST = 65_500
OUTLIER_SIGMAS = 6.0

SPEC = DetectorSpec(
    name="ela",
    title="Error level analysis",
    version=1,
    numbers=(
        Number("ela_mean", 0, 255, "mean recompression error (grey levels)", "recompression error"),
        Number("ela_median", 0, 255, "typical recompression error of a block (grey levels)", "recompression error"),
        Number(
            "ela_spread", 0, 255, "spread of the recompression error over blocks (grey levels)", "recompression error"
        ),
        Number("ela_peak", 0, 255, "strongest recompression error of a block (grey levels)", feature=False),
        Number("ela_outlier_share", 0, 1, "share of blocks whose recompression error stands out", feature=False),
    ),
    looks_at="the error that one more JPEG compression at quality 90 leaves, block by block",
    fails_when="the whole image was recompressed after an edit; edges and saturated colours light up by themselves",
    source="Krawetz, A Picture's Worth, 2007",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Block statistics and a heatmap of the recompression error."""
    if min(sample.width, sample.height) < BLOCK:
        return Skipped(SPEC.name, f"the image has a side under {BLOCK} px")
    if sample.width > WIDEST:
        return Skipped(SPEC.name, f"the image is wider than {WIDEST} px, the most a JPEG can be")
    blocks, mean = _error_blocks(sample.pixels)
    median = float(np.median(blocks))
    deviation = 1.4826 * float(np.median(np.abs(blocks - median)))
    outliers = float(np.mean(blocks > median + OUTLIER_SIGMAS * max(deviation, 0.25)))
    numbers = {
        "ela_mean": mean,
        "ela_median": median,
        "ela_spread": float(blocks.std()),
        "ela_peak": float(blocks.max()),
        "ela_outlier_share": outliers,
    }
    sentence = (
        f"Recompression leaves a typical error of {median:.1f} grey levels; "
        f"{outliers:.1%} of the blocks stand out from the rest."
    )
    return Measured(SPEC.name, numbers, sentence, heatmap=_heatmap(blocks))


def _error_blocks(pixels: Pixels) -> tuple[NDArray[np.float32], float]:
    """Mean error of each 8 x 8 block, and of all pixels; strip by strip, so that memory stays bounded."""
    rows, total = [], 0.0
    width = pixels.shape[1] // BLOCK * BLOCK
    for top in range(0, pixels.shape[0] - BLOCK + 1, STRIP_ROWS):
        strip = pixels[top : top + STRIP_ROWS]
        error = _recompression_error(strip)
        total += float(error.sum(dtype=np.float64))
        height = strip.shape[0] // BLOCK * BLOCK
        cells = error[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        rows.append(cells.mean(axis=(1, 3), dtype=np.float32))
    covered = min(pixels.shape[0], STRIP_ROWS * len(rows)) * pixels.shape[1]
    return np.concatenate(rows), total / covered


def _recompression_error(pixels: Pixels) -> NDArray[np.uint8]:
    """H x W largest absolute channel difference between the pixels and their JPEG at QUALITY."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    again = np.asarray(Image.open(buffer))
    return np.asarray((np.maximum(pixels, again) - np.minimum(pixels, again)).max(axis=2))


def _heatmap(blocks: NDArray[np.float32]) -> Heatmap:
    """Blocks scaled to [0, 1]; the floor of 8 grey levels keeps an even image dark instead of amplifying its noise."""
    ceiling = max(float(np.quantile(blocks, 0.999)), 8.0)
    return np.asarray(np.clip(blocks / ceiling, 0, 1), dtype=np.float32)
