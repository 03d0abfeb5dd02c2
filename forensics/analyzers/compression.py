"""Compression: how strongly the file is compressed, and what earlier JPEG compressions left in the pixels."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import Plane, light_of, planes_of
from forensics.types import ImageSample, Measured, Pixels, Signal, Skipped

GRID = 8
WINDOW = 512
ORIENTATION = 0x0112
# ITU-T T.81, table K.1, in natural order: what quality 50 means to libjpeg.
STANDARD_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float64,
).ravel()
# The low-frequency coefficients with enough counts for a histogram: (vertical, horizontal).
MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))

LOW = 4
# Rows are the orthonormal DCT-II's first waves of eight samples.
WAVES = np.cos(np.pi * np.arange(LOW)[:, None] * (np.arange(GRID) + 0.5) / GRID) / 2
WAVES[0] /= np.sqrt(2)
WAVES = WAVES.astype(np.float32)

SPEC = DetectorSpec(
    name="compression",
    title="Compression",
    version=2,
    numbers=(
        Number("compression_level", 0, 1, "strength of the file's JPEG compression", "compression", headline=True),
        # History says which way a file went, not where it began; in collected data it gives the label away.
        Number("compression_grid", -10, 10, "sharpness of an 8 x 8 block grid (log ratio)", feature=False),
        Number("compression_grid_shifted", 0, 1, "whether that grid does not start at the corner", feature=False),
        Number(
            "compression_double", 0, 1, "gaps in the coefficient histograms, as two compressions leave", feature=False
        ),
    ),
    looks_at="quantisation tables; in the middle 512 x 512 pixels 8 x 8 block edges and histograms of DCT coefficients",
    fails_when="both compressions used the same quality; the second was much stronger; it was resized between",
    source="ITU-T T.81; Popescu and Farid, Statistical Tools for Digital Forensics, 2004",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Compression level of a JPEG, block grid of any image, and double compression of a JPEG.

    Of a large image the middle WINDOW x WINDOW pixels are looked at.
    """
    if min(sample.width, sample.height) < 4 * GRID:
        return Skipped(SPEC.name, f"the image has a side under {4 * GRID} px")
    light = light_of(planes_of(_window(sample.pixels)))
    strength, offset = _grid(light)
    table, upright = _quantisation(sample)
    level = compression_level(table) if table is not None else float("nan")
    double = _double_compression(light, table) if table is not None and upright else float("nan")
    numbers = {
        "compression_level": level,
        "compression_grid": strength,
        "compression_grid_shifted": float(strength > 0.1 and offset != (0, 0)),
        "compression_double": double,
    }
    return Measured(SPEC.name, numbers, _sentence(numbers))


def compression_level(table: NDArray[np.float64]) -> float:
    """0 (libjpeg quality 100) to 1 (quality 0), from the luminance quantisation table's mean scale.

    Foreign tables are placed on libjpeg's scale by their mean ratio to the standard table.
    """
    # Baseline tables stop at 255, so entries that reached it say too little.
    kept = table < 255 if np.any(table < 255) else np.ones_like(table, dtype=bool)
    scale = float(np.mean(table[kept] / STANDARD_LUMINANCE[kept])) * 100
    quality = 100 - scale / 2 if scale <= 100 else 5000 / scale
    return float(np.clip(1 - quality / 100, 0, 1))


def _quantisation(sample: ImageSample) -> tuple[NDArray[np.float64] | None, bool]:
    """The luminance table (None unless JPEG), and whether the pixels still lie as the file stores them."""
    if sample.media_type != "image/jpeg":
        return None, True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(sample.data), formats=["JPEG", "MPO"])
        upright = image.getexif().get(ORIENTATION, 1) == 1
    tables = getattr(image, "quantization", {})
    return (np.array(tables[0], dtype=np.float64), upright) if 0 in tables else (None, upright)


def _window(pixels: Pixels) -> Pixels:
    """The middle WINDOW x WINDOW pixels, starting on the block grid."""
    top = max(pixels.shape[0] - WINDOW, 0) // 2 // GRID * GRID
    left = max(pixels.shape[1] - WINDOW, 0) // 2 // GRID * GRID
    return pixels[top : top + WINDOW, left : left + WINDOW]


def _grid(light: Plane) -> tuple[float, tuple[int, int]]:
    """Log ratio of the strongest grid's edge steps to the other steps, and where that grid starts (row, column)."""
    # A block edge is a step that its two neighbours do not continue: second difference of steps.
    rows, columns = np.diff(light, axis=0), np.diff(light, axis=1)
    np.abs(rows, out=rows)
    np.abs(columns, out=columns)
    found = [
        _phase(_excess(rows[:-2], rows[1:-1], rows[2:]).mean(axis=1), rows),
        _phase(_excess(columns[:, :-2], columns[:, 1:-1], columns[:, 2:]).mean(axis=0), columns),
    ]
    strength = max(min(strength for strength, _ in found), 0)
    return float(np.clip(np.log1p(strength), -10, 10)), (found[0][1], found[1][1])


def _excess(before: Plane, steps: Plane, after: Plane) -> Plane:
    """How much each step is larger than the mean of its two neighbours, at most 8 either way."""
    # In place: fresh memory for each sum costs more than the sum.
    excess = before + after
    excess *= -0.5
    excess += steps
    return np.clip(excess, -8, 8, out=excess)


def _phase(excess: NDArray[np.float32], steps: Plane) -> tuple[float, int]:
    """How much the strongest of the eight possible grids stands out, in units of a usual step, and its start."""
    level = float(np.minimum(steps, 8).mean()) + 0.25
    phase = np.array([excess[(start - 2) % GRID :: GRID].mean() for start in range(GRID)])
    start = int(np.argmax(phase))
    return float(phase[start] - np.median(phase)) / level, start


def _double_compression(light: Plane, table: NDArray[np.float64]) -> float:
    """Roughness of the quantised-coefficient histograms beyond what chance gives, 0 to 1.

    NaN where counts are few, or a step is 0.
    """
    steps = table.reshape(GRID, GRID)
    if any(steps[mode] == 0 for mode in MODES):  # against T.81, but files may say so
        return float("nan")
    coefficients = _low_coefficients(light - 128)
    scores = []
    for row, column in MODES:
        levels = np.rint(coefficients[row, column] / np.float32(steps[row, column]))
        # Levels beyond 20 are put beside the histogram.
        places = np.clip(levels, -21, 21).astype(np.intp).ravel() + 21
        counts = np.bincount(places, minlength=43)[1:-1].astype(np.float64)
        score = _roughness(counts)
        if not np.isnan(score):
            scores.append(score)
    return float(np.median(scores)) if len(scores) >= 3 else float("nan")


def _low_coefficients(light: Plane) -> NDArray[np.float32]:
    """The orthonormal DCT of each 8 x 8 block, frequencies 0 to 3 alone: (4, 4, rows, columns)."""
    rows, columns = light.shape[0] // GRID, light.shape[1] // GRID
    trimmed = light[: rows * GRID, : columns * GRID]
    vertical = _projected(np.ascontiguousarray(trimmed.reshape(rows, GRID, columns * GRID).swapaxes(0, 1)))
    both = _projected(np.ascontiguousarray(vertical.reshape(LOW, rows, columns, GRID).transpose(3, 0, 1, 2)))
    return both.swapaxes(0, 1)


def _projected(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first frequencies of the eight samples along the first axis."""
    # Sum by sum: a matrix product rounds differently with the number of threads.
    return np.stack([sum(weight * sample for weight, sample in zip(wave, samples, strict=True)) for wave in WAVES])


def _roughness(counts: NDArray[np.float64]) -> float:
    """How far counts at 2..19 lie from their neighbours' geometric mean, less the deviation that chance explains."""
    folded = counts[20:] + counts[20::-1]
    inner, neighbours = folded[2:-1], np.sqrt((folded[1:-2] + 0.5) * (folded[3:] + 0.5))
    enough = (inner + neighbours) >= 40
    if enough.sum() < 4:
        return float("nan")
    inner, neighbours = inner[enough], neighbours[enough]
    relative = np.abs(inner - neighbours) / (inner + neighbours)
    chance = 0.8 * np.sqrt(1.5 / (inner + neighbours))
    return float(np.clip(np.mean(relative - chance), 0, 1))


def _sentence(numbers: dict[str, float]) -> str:
    level, double = numbers["compression_level"], numbers["compression_double"]
    parts = [
        "The file is not a JPEG" if np.isnan(level) else f"The file is a JPEG of about quality {100 * (1 - level):.0f}"
    ]
    if numbers["compression_grid"] > 0.1:
        where = "shifted against" if numbers["compression_grid_shifted"] else "aligned with"
        parts.append(f"an 8 x 8 block grid shows, {where} the corner")
    if double > 0.15:
        parts.append("its coefficients look compressed twice")
    return "; ".join(parts) + "."
