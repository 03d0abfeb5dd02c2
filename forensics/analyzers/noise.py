"""Noise residual statistics: how the finest grain is distributed, and how it hangs together."""

import itertools

import numpy as np
from numpy.typing import NDArray

from forensics.crops import mean_over_crops, too_small_reason
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.residual import Plane, block_view, luminance, robust_sigma, square_residual
from forensics.types import ImageSample, Measured, Pixels, Signal, Skipped

PATTERN_STEP = 2.0
PATTERN_LIMIT = 2
# Pairs of quantised residuals that are one pattern under sign flip and swapping: nine classes of 5 x 5.
PATTERNS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, -1), (1, 2), (1, -2), (2, 2), (2, -2))
PATTERN_VIEWS = {
    "along": "neighbours in its direction",
    "across": "neighbours across its direction",
    "colour": "red and green of one pixel",
}
# A bend is a second difference of brightness, by its size in PATTERN_STEPs: none, 1, or 2 and more.
BENDS = ("no bend", "a slight bend", "a strong bend")


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
    version=1,
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
    looks_at="second-order residuals of native crops: strength, tails, correlations, co-occurrences",
    fails_when="the image was denoised, strongly compressed or resized; every processing step changes the grain",
    source="Fridrich and Kodovsky, Rich Models for Steganalysis, 2012 (residuals and co-occurrences)",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Grain statistics over native crops."""
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
    colour = crop.astype(np.float32)
    light = luminance(crop)
    residual = square_residual(light)
    channels = square_residual(colour)
    return {
        **_strength(residual, light),
        **_correlations(residual, light),
        **_colour(channels, residual),
        **_patterns(colour),
    }


def _strength(residual: Plane, light: Plane) -> dict[str, float]:
    blocks = block_view(residual, 8)
    sigmas = blocks.std(axis=(2, 3)).ravel()
    levels = block_view(light[1:-1, 1:-1], 8).mean(axis=(2, 3)).ravel()
    variance = float(residual.var())
    fourth = float(np.mean((residual - residual.mean()) ** 4))
    return {
        "noise_sigma": robust_sigma(residual),
        "noise_flat_sigma": float(np.quantile(sigmas, 0.1)),
        "noise_spread": float(min(sigmas.std() / (sigmas.mean() + 1e-6), 10.0)),
        "noise_tails": float(np.clip(np.log(fourth / variance**2), 0, 20)) if variance > 1e-6 else float("nan"),
        "noise_gain": _gain(sigmas, levels),
    }


def _gain(sigmas: NDArray[np.float32], levels: NDArray[np.float32]) -> float:
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
    rows = float(np.square(np.diff(light, axis=1)).mean())
    columns = float(np.square(np.diff(light, axis=0)).mean())
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
    """Pearson correlation of two planes; NaN where one of them is constant."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt(np.square(a).mean() * np.square(b).mean()))
    return float(np.clip(np.mean(a * b) / scale, -1, 1)) if scale > 1e-6 else float("nan")


def _colour(channels: Plane, residual: Plane) -> dict[str, float]:
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    energy = float(residual.std())
    chroma = (float((red - green).std()) + float((blue - green).std())) / 2
    return {
        "noise_red_green": correlation(red, green),
        "noise_green_blue": correlation(green, blue),
        "noise_red_blue": correlation(red, blue),
        "noise_chroma": min(chroma / energy, 10.0) if energy > 1e-3 else float("nan"),
        "noise_mosaic": _mosaic(green),
    }


def _mosaic(green: Plane) -> float:
    """Green residual variance on the two diagonals of 2 x 2 cells: demosaicing interpolates one of them."""
    even = float(green[::2, ::2].var() + green[1::2, 1::2].var())
    odd = float(green[::2, 1::2].var() + green[1::2, ::2].var())
    return abs(float(np.clip(np.log((even + 1e-3) / (odd + 1e-3)), -10, 10)))


def _patterns(colour: Plane) -> dict[str, float]:
    """Shares of the nine symmetric classes of quantised residual pairs, over both directions."""
    green = colour[..., 1]
    counts = {view: np.zeros(25) for view in PATTERN_VIEWS}
    for plane, red in ((green, colour[..., 0]), (green.T, colour[..., 0].T)):
        residual = _quantised(plane)
        counts["along"] += _pair_counts(residual[:, :-1], residual[:, 1:])
        counts["across"] += _pair_counts(residual[:-1], residual[1:])
        counts["colour"] += _pair_counts(residual, _quantised(red))
    return {
        _pattern_name(view, pattern): float(_symmetric(count, pattern) / count.sum())
        for view, count in counts.items()
        for pattern in PATTERNS
    }


def _quantised(plane: Plane) -> NDArray[np.int8]:
    second = plane[:, :-2] - 2 * plane[:, 1:-1] + plane[:, 2:]
    levels = np.rint(second / PATTERN_STEP)
    return np.asarray(np.clip(levels, -PATTERN_LIMIT, PATTERN_LIMIT), dtype=np.int8)


def _pair_counts(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.float64]:
    codes = (first + PATTERN_LIMIT) * np.int8(5) + (second + PATTERN_LIMIT)
    return np.bincount(codes.ravel(), minlength=25).astype(np.float64)


def _symmetric(counts: NDArray[np.float64], pattern: tuple[int, int]) -> float:
    a, b = pattern
    members = {(s * x, s * y) for (x, y), s in itertools.product(((a, b), (b, a)), (1, -1))}
    return float(sum(counts[(x + 2) * 5 + (y + 2)] for x, y in members))
