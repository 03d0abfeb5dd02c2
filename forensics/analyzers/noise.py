"""Noise residual statistics: how the finest grain is distributed, and how it hangs together."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from forensics.crops import mean_over_crops, too_small_reason
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import Plane, block_sums, light_of, planes_of, robust_sigma, square_residual
from forensics.types import ImageSample, Measured, Pixels, Signal, Skipped

SIDE = 8
# Bends are counted in steps of two grey levels, up to two steps.
PATTERN_LIMIT = 2
LEVELS = 2 * PATTERN_LIMIT + 1
# Places of red, green and the neighbour in the row in a code of all four; the neighbour in the column has the last.
ROW = LEVELS + 1
GREEN = ROW * (LEVELS + 1)
RED = GREEN * LEVELS
# Pairs of quantised residuals that are one pattern under sign flip and swapping: nine classes of 5 x 5.
PATTERNS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, -1), (1, 2), (1, -2), (2, 2), (2, -2))
PATTERN_VIEWS = {
    "along": "neighbours in its direction",
    "across": "neighbours across its direction",
    "colour": "red and green of one pixel",
}
# A bend is a second difference of brightness, by its size in steps: none, 1, or 2 and more.
BENDS = ("no bend", "a slight bend", "a strong bend")

Counts = NDArray[np.float64]


def _pattern_name(view: str, pattern: tuple[int, int]) -> str:
    sign = "" if pattern[1] >= 0 else "n"
    return f"pattern_{view}_{pattern[0]}{sign}{abs(pattern[1])}"


def _pattern_meaning(view: str, pattern: tuple[int, int]) -> str:
    first, second = pattern
    sign = "" if first == 0 else " of the same sign" if second > 0 else " of opposite sign"
    return f"share of pairs with {BENDS[first]} and {BENDS[abs(second)]}{sign} ({PATTERN_VIEWS[view]})"


SPEC = DetectorSpec(
    name="noise",
    title="Noise residual",
    version=2,
    numbers=(
        Number("noise_sigma", 0, 1000, "strength of the finest grain (grey levels)", "grain strength"),
        Number("noise_flat_sigma", 0, 1000, "grain in the smoothest parts (grey levels)", "grain strength"),
        Number("noise_spread", 0, 10, "unevenness of the grain over the image", "grain strength"),
        Number("noise_tails", 0, 20, "heaviness of the grain's tails (log kurtosis)", "grain distribution"),
        Number("noise_gain", -10, 10, "growth of grain with brightness (slope)", "grain distribution"),
        Number("noise_anisotropy", -10, 10, "grain along rows against along columns (log ratio)", "grain correlation"),
        Number("noise_next_pixel", -1, 1, "correlation of grain with the next pixel", "grain correlation"),
        Number("noise_second_pixel", -1, 1, "correlation of grain two pixels apart", "grain correlation"),
        Number("noise_diagonal", -1, 1, "correlation of grain with the diagonal pixel", "grain correlation"),
        Number("noise_red_green", -1, 1, "agreement of grain between red and green", "colour of the grain"),
        Number("noise_green_blue", -1, 1, "agreement of grain between green and blue", "colour of the grain"),
        Number("noise_red_blue", -1, 1, "agreement of grain between red and blue", "colour of the grain"),
        Number("noise_chroma", 0, 10, "grain in colour against grain in brightness (ratio)", "colour of the grain"),
        Number("noise_mosaic", -10, 10, "trace of a sensor's colour mosaic (log ratio)", "colour of the grain"),
        *(
            Number(_pattern_name(view, p), 0, 1, _pattern_meaning(view, p), "pixel patterns")
            for view in PATTERN_VIEWS
            for p in PATTERNS
        ),
    ),
    looks_at="second-order residuals of up to three native crops: strength, tails, correlations, co-occurrences",
    fails_when="the image was denoised, strongly compressed or resized; every processing step changes the grain",
    source="Fridrich and Kodovsky, Rich Models for Steganalysis, 2012 (residuals and co-occurrences)",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Grain statistics; of a large image only what the crops show counts."""
    numbers = mean_over_crops(sample.pixels, _measure)
    if numbers is None:
        return Skipped(SPEC.name, too_small_reason())
    return Measured(SPEC.name, numbers, _sentence(numbers))


def _sentence(numbers: dict[str, float]) -> str:
    strength, agreement = numbers["noise_sigma"], numbers["noise_red_green"]
    if np.isnan(agreement):
        return "The image is flat: there is no grain to look at."
    return (
        f"The finest grain has a strength of {strength:.2f} grey levels; between red and green it agrees by "
        f"{agreement:.2f} (1 is identical)."
    )


def _measure(crop: Pixels) -> dict[str, float]:
    planes = planes_of(crop)
    light = light_of(planes)
    residual = square_residual(light)
    channels = [square_residual(plane) for plane in planes.astype(np.float32)]
    return {
        **_strength(residual, light),
        **_correlations(residual, light),
        **_colour(channels, residual),
        **_patterns(planes),
    }


def _strength(residual: Plane, light: Plane) -> dict[str, float]:
    sums, squares = block_sums(residual, SIDE), block_sums(np.square(residual), SIDE)
    sigmas = np.sqrt(np.maximum(squares / SIDE**2 - np.square(sums / SIDE**2), 0)).ravel()
    levels = block_sums(light[1:-1, 1:-1], SIDE).ravel() / SIDE**2
    second = np.square(residual - residual.mean())
    variance, fourth = float(second.mean()), float(np.square(second).mean())
    return {
        "noise_sigma": robust_sigma(residual),
        "noise_flat_sigma": float(np.quantile(sigmas, 0.1)),
        "noise_spread": float(min(sigmas.std() / (sigmas.mean() + 1e-6), 10.0)),
        "noise_tails": float(np.clip(np.log(fourth / variance**2), 0, 20)) if variance > 1e-6 else float("nan"),
        "noise_gain": _gain(sigmas, levels),
    }


def _gain(sigmas: NDArray[np.floating], levels: NDArray[np.floating]) -> float:
    """Slope of log grain against log brightness over mid-tone blocks; photon noise gives about one half."""
    usable = (levels > 16) & (levels < 240) & (sigmas > 0.05)
    if usable.sum() < 16:
        return float("nan")
    x, y = np.log(levels[usable]), np.log(sigmas[usable])
    spread = float(x.var())
    if spread < 1e-3:
        return float("nan")
    return float(np.clip(np.mean((x - x.mean()) * (y - y.mean())) / spread, -10, 10))


def _correlations(residual: Plane, light: Plane) -> dict[str, float]:
    rows, columns = _power(np.diff(light, axis=1)), _power(np.diff(light, axis=0))
    return {
        "noise_anisotropy": float(np.clip(np.log((rows + 1e-3) / (columns + 1e-3)), -10, 10)),
        "noise_next_pixel": (_shifted(residual, 0, 1) + _shifted(residual, 1, 0)) / 2,
        "noise_second_pixel": (_shifted(residual, 0, 2) + _shifted(residual, 2, 0)) / 2,
        "noise_diagonal": _shifted(residual, 1, 1),
    }


def _shifted(plane: Plane, down: int, right: int) -> float:
    height, width = plane.shape
    return correlation(plane[: height - down, : width - right], plane[down:, right:])


def correlation(first: Plane, second: Plane) -> float:
    """Pearson correlation of two planes of residuals, whose mean is small; NaN where one of them is constant."""
    a, b = float(first.mean()), float(second.mean())
    scale = math.sqrt(max(_power(first) - a * a, 0.0) * max(_power(second) - b * b, 0.0))
    return min(max((_product(first, second) - a * b) / scale, -1.0), 1.0) if scale > 1e-6 else math.nan


def _product(first: Plane, second: Plane) -> float:
    """The mean of the product, without an array of it."""
    return float(np.einsum("ij,ij->", first, second)) / first.size


def _power(plane: Plane) -> float:
    return _product(plane, plane)


def _colour(channels: Sequence[Plane], residual: Plane) -> dict[str, float]:
    red, green, blue = channels
    energy = _spread(residual)
    chroma = (_spread(red - green) + _spread(blue - green)) / 2
    return {
        "noise_red_green": correlation(red, green),
        "noise_green_blue": correlation(green, blue),
        "noise_red_blue": correlation(red, blue),
        "noise_chroma": min(chroma / energy, 10.0) if energy > 1e-3 else float("nan"),
        "noise_mosaic": _mosaic(green),
    }


def _spread(residual: Plane) -> float:
    mean = float(residual.mean())
    return math.sqrt(max(_power(residual) - mean * mean, 0.0))


def _mosaic(green: Plane) -> float:
    """Green residual variance on the two diagonals of 2 x 2 cells: demosaicing interpolates one of them."""
    even = sum(_spread(green[i::2, i::2]) ** 2 for i in (0, 1))
    odd = sum(_spread(green[i::2, 1 - i :: 2]) ** 2 for i in (0, 1))
    return abs(min(max(math.log((even + 1e-3) / (odd + 1e-3)), -10.0), 10.0))


def _patterns(planes: NDArray[np.uint8]) -> dict[str, float]:
    """Shares of the nine symmetric classes of quantised residual pairs, over both directions."""
    red, green = planes[0].astype(np.int16), planes[1].astype(np.int16)
    counts = {view: np.zeros((LEVELS, LEVELS)) for view in PATTERN_VIEWS}
    for axis in (1, 0):
        right, below, other = _pair_counts(_quantised(green, axis), _quantised(red, axis))
        counts["along"] += right if axis == 1 else below
        counts["across"] += below if axis == 1 else right
        counts["colour"] += other
    return {
        _pattern_name(view, pattern): float(_symmetric(count, pattern) / count.sum())
        for view, count in counts.items()
        for pattern in PATTERNS
    }


def _quantised(plane: NDArray[np.int16], axis: int) -> NDArray[np.int16]:
    """Bends along the axis in steps of two grey levels, rounded half to even, as levels 0 to 4; 2 is none."""
    before, here, after = (plane[:, i : i - 2 or None] if axis == 1 else plane[i : i - 2 or None] for i in range(3))
    bend = before - 2 * here + after
    # Bends up to 1 are none, 2 is one step, and 3 is rounded to two.
    return np.asarray(np.clip(bend, -3, 3) - np.clip(bend, -1, 1) + PATTERN_LIMIT)


def _pair_counts(green: NDArray[np.int16], red: NDArray[np.int16]) -> tuple[Counts, Counts, Counts]:
    """How often which levels are neighbours in a row, in a column, and in green and red of one pixel.

    One histogram over all four at once; a level beyond the last stands for neighbours past the edge.
    """
    edge = LEVELS
    code = np.full(green.shape, edge * ROW + edge, dtype=np.int16)
    code[:, :-1] += (green[:, 1:] - edge) * ROW
    code[:-1] += green[1:] - edge
    code += green * GREEN + red * RED
    found = np.bincount(code.ravel(), minlength=LEVELS * RED).reshape(LEVELS, LEVELS, LEVELS + 1, LEVELS + 1)
    right, below = found.sum(axis=(0, 3)), found.sum(axis=(0, 2))
    return right[:, :edge], below[:, :edge], found.sum(axis=(2, 3)).T


def _symmetric(counts: Counts, pattern: tuple[int, int]) -> float:
    a, b = pattern
    members = {(s * x, s * y) for (x, y), s in itertools.product(((a, b), (b, a)), (1, -1))}
    return float(sum(counts[x + PATTERN_LIMIT, y + PATTERN_LIMIT] for x, y in members))
