"""Numbers that tell a picture (photograph, painting, render) from a page, an icon, a screen or a wordmark."""

import numpy as np
from numpy.typing import NDArray

from forensics.types import Pixels

TILE, MOST_TILES = 64, 64
SIDE = 8
# Lines of text are looked for in the middle: strips that a slanted line hardly leaves, and the distances of lines.
MIDDLE, STRIP, LEAST_LINE, MOST_LINE = 512, 128, 8, 64
# Fewer blocks than this make no statistics of their own.
FEW = 3
NUMBERS = {
    "flat": "share of blocks of 8 x 8 px whose brightness spans at most 3 levels",
    "flat8": "share of blocks that span at most 8 levels",
    "plain": "share of blocks that span at most 16 levels",
    "plain_spread": "how far the plain blocks' mean brightness spreads (levels between its quartiles)",
    "contrast": "share of blocks that span more than 60 levels",
    "bimodal": "share of pixels near the darkest or the brightest of their block, in blocks of contrast",
    "medium": "share of blocks whose brightness deviates by 2 to 15 levels",
    "low": "share of blocks whose brightness deviates by at most 2 levels",
    "high": "share of blocks whose brightness deviates by more than 30 levels",
    "deviation25": "log of the blocks' deviation, first quartile",
    "deviation50": "log of the blocks' deviation, median",
    "deviation75": "log of the blocks' deviation, third quartile",
    "deviation95": "log of the blocks' deviation, 95th percentile",
    "mode": "share of pixels within 8 levels of the commonest brightness",
    "second": "share of pixels within 8 levels of the commonest brightness at least 40 levels away",
    "mode_at": "the commonest brightness",
    "mean": "mean brightness",
    "spread": "standard deviation of brightness",
    "white": "share of pixels of brightness 248 and more",
    "black": "share of pixels of brightness under 8",
    "entropy": "entropy of brightness (bits)",
    "colours90": "log2 of the colours (of 32 768) that 90 % of the pixels have",
    "colours99": "log2 of the colours that 99 % of the pixels have",
    "commonest": "share of the commonest colour",
    "saturation": "mean difference between the strongest and the weakest channel",
    "equal": "share of pixels that equal their right neighbour in all channels",
    "step0": "share of neighbours of the same brightness",
    "step1": "share of neighbours that differ by 1 or 2 levels",
    "step3": "share of neighbours that differ by 3 to 12 levels",
    "step13": "share of neighbours that differ by 13 to 48 levels",
    "step49": "share of neighbours that differ by more than 48 levels",
    "hard": "share of steps above 48 levels among those above 6",
    "next_pixel": "correlation of brightness with the next pixel in the row",
    "lines": "how far rows of pixels differ from those around them, among the differences of single pixels",
    "lines_again": "correlation of rows of pixels with those a line of text further, less that half a line further",
}

Histogram = NDArray[np.float64]


def picture_numbers(pixels: Pixels) -> dict[str, float]:
    """The numbers, over at most 64 native tiles of 64 x 64 px, spread evenly; sides of at least 8 px."""
    tiles = _tiles(pixels)
    red, green, blue = np.moveaxis(tiles, 3, 0).astype(np.int16)
    light = np.asarray((red.astype(np.int32) * 77 + green.astype(np.int32) * 150 + blue.astype(np.int32) * 29) >> 8)
    light = light.astype(np.int16)
    code = (red.astype(np.int32) >> 3 << 10) | (green >> 3 << 5) | blue >> 3
    strongest, weakest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    same = (tiles[:, :, 1:] == tiles[:, :, :-1]).all(axis=3)
    return {
        **_of_blocks(_blocks(light)),
        **_of_brightness(_shares(light, 256)),
        **_of_colours(_shares(code, 32768)),
        **_of_steps(_steps(light)),
        "saturation": float(np.mean(strongest - weakest)),
        "equal": float(np.mean(same)),
        "next_pixel": _next_pixel(light.astype(np.float32)),
        **_of_lines(pixels),
    }


def _tiles(pixels: Pixels) -> Pixels:
    """N x H x W x 3: the tiles of a large image, a small one whole."""
    height, width = pixels.shape[:2]
    if height * width <= TILE * TILE * MOST_TILES:
        return pixels[None, : height - height % SIDE, : width - width % SIDE]
    columns = max(1, min(width // TILE, round((MOST_TILES * width / height) ** 0.5)))
    rows = max(1, min(height // TILE, MOST_TILES // columns))
    columns = max(1, min(width // TILE, MOST_TILES // rows))
    tops = np.linspace(0, max(height - TILE, 0), rows).astype(int) // SIDE * SIDE
    lefts = np.linspace(0, max(width - TILE, 0), columns).astype(int) // SIDE * SIDE
    return np.stack([pixels[top : top + TILE, left : left + TILE] for top in tops for left in lefts])


def _blocks(light: NDArray[np.int16]) -> NDArray[np.int16]:
    """The blocks of 8 x 8 px, each as a row of 64."""
    count, height, width = light.shape
    cut = light.reshape(count, height // SIDE, SIDE, width // SIDE, SIDE).swapaxes(2, 3)
    return cut.reshape(-1, SIDE * SIDE)


def _shares(values: NDArray[np.integer], levels: int) -> Histogram:
    counts = np.bincount(values.ravel(), minlength=levels)
    return np.asarray(counts / counts.sum())


def _steps(light: NDArray[np.int16]) -> Histogram:
    """Shares of the differences between neighbours, along rows and columns."""
    along, across = (np.abs(np.diff(light, axis=axis)).ravel() for axis in (2, 1))
    return _shares(np.concatenate((along, across)), 256)


def _of_blocks(blocks: NDArray[np.int16]) -> dict[str, float]:
    lowest, highest = blocks.min(axis=1, keepdims=True), blocks.max(axis=1, keepdims=True)
    span, deviation = (highest - lowest)[:, 0], blocks.std(axis=1)
    near = (np.minimum(blocks - lowest, highest - blocks) * 5 <= highest - lowest).mean(axis=1)
    contrasted, plain = span > 60, span <= 16
    means = blocks[plain].mean(axis=1) if plain.sum() > FEW else np.zeros(0)
    quartiles = np.log1p(np.quantile(deviation, (0.25, 0.5, 0.75, 0.95)))
    return {
        "flat": float(np.mean(span <= 3)),
        "flat8": float(np.mean(span <= 8)),
        "plain": float(plain.mean()),
        "plain_spread": float(np.subtract(*np.quantile(means, (0.75, 0.25)))) if len(means) else 255.0,
        "contrast": float(contrasted.mean()),
        "bimodal": float(near[contrasted].mean()) if contrasted.sum() > FEW else 0.0,
        "medium": float(np.mean((deviation > 2) & (deviation < 15))),
        "low": float(np.mean(deviation <= 2)),
        "high": float(np.mean(deviation > 30)),
        **dict(zip(("deviation25", "deviation50", "deviation75", "deviation95"), quartiles.tolist(), strict=True)),
    }


def _of_brightness(share: Histogram) -> dict[str, float]:
    window = np.convolve(share, np.ones(17), "same")
    mode = int(window.argmax())
    far = window.copy()
    far[max(0, mode - 40) : mode + 41] = 0
    levels = np.arange(256)
    mean = float(share @ levels)
    there = share[share > 0]
    return {
        "mode": float(window[mode]),
        "second": float(far.max()),
        "mode_at": float(mode),
        "mean": mean,
        "spread": float(np.sqrt(share @ np.square(levels - mean))),
        "white": float(share[248:].sum()),
        "black": float(share[:8].sum()),
        "entropy": float(abs(there @ np.log2(there))),
    }


def _of_colours(share: Histogram) -> dict[str, float]:
    sorted_shares = np.sort(share)[::-1]
    covered = np.cumsum(sorted_shares)
    return {
        "colours90": float(np.log2(np.searchsorted(covered, 0.9) + 1)),
        "colours99": float(np.log2(np.searchsorted(covered, 0.99) + 1)),
        "commonest": float(sorted_shares[0]),
    }


def _of_steps(share: Histogram) -> dict[str, float]:
    return {
        "step0": float(share[0]),
        "step1": float(share[1:3].sum()),
        "step3": float(share[3:13].sum()),
        "step13": float(share[13:49].sum()),
        "step49": float(share[49:].sum()),
        "hard": float(share[49:].sum() / (share[7:].sum() + 1e-4)),
    }


def _next_pixel(light: NDArray[np.float32]) -> float:
    centred = light - light.mean()
    pairs = float(np.mean(centred[:, :, :-1] * centred[:, :, 1:]))
    return float(np.clip(pairs / (float(np.mean(np.square(centred))) + 1e-6), -1, 1))


def _of_lines(pixels: Pixels) -> dict[str, float]:
    """How far the middle of the picture looks like lines of text, upright or on their side."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - MIDDLE) // 2, max(0, width - MIDDLE) // 2
    light = pixels[top : top + MIDDLE, left : left + MIDDLE, 1].astype(np.float32)
    return max((_lines(light), _lines(light.T)), key=lambda found: found["lines_again"])


def _lines(light: NDArray[np.float32]) -> dict[str, float]:
    strips = [light[:, start : start + STRIP] for start in range(0, max(1, light.shape[1] - STRIP + 1), STRIP)]
    around = [_without_slow(strip.mean(axis=1)) for strip in strips]
    rows, pixels = float(np.mean([one.std() for one in around])), float(light.std()) + 1e-3
    again = float(np.mean([_again(one) for one in around]))
    return {"lines": rows / pixels, "lines_again": again}


def _without_slow(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The row means less the mean of the rows around."""
    size = min(MOST_LINE // 2 + 1, len(rows))
    return np.asarray(
        rows - np.convolve(np.pad(rows, size // 2, "edge"), np.ones(size) / size, "same")[size // 2 :][: len(rows)]
    )


def _again(rows: NDArray[np.float32]) -> float:
    """The best correlation of the rows with themselves a line further, less the least one before."""
    if len(rows) < 2 * LEAST_LINE:
        return 0.0
    power = np.abs(np.fft.rfft(rows, 2 * len(rows))) ** 2
    correlation = np.fft.irfft(power)[: min(MOST_LINE, len(rows) // 2) + 1]
    correlation = correlation / (correlation[0] + 1e-3)
    lag = LEAST_LINE + int(correlation[LEAST_LINE:].argmax())
    return float(correlation[lag] - correlation[:lag].min())
