"""Pictures for people: a detector's heatmap over the image and alone, and what a detector makes of the image."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from forensics.registry import entries, get
from forensics.types import Heatmap, ImageSample, Pixels, Signal, Skipped

# Dark blue, magenta, orange, pale yellow: rising brightness, so that it reads in greyscale and to the colour-blind.
_STOPS = np.array([[12, 8, 60], [140, 30, 120], [245, 125, 50], [252, 250, 190]], dtype=np.float64)
_PICTURE_SHARE = 0.35


def save_heatmaps(sample: ImageSample, signals: tuple[Signal, ...], folder: Path, stem: str) -> list[Path]:
    """Write `<stem>.<detector>.png` (over the greyed image) and `<stem>.<detector>.map.png` for each heatmap."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for signal in signals:
        heatmap = _heatmap(sample, signal)
        if heatmap is not None:
            base = folder / f"{stem}.{signal.detector}"
            over, alone = base.with_name(base.name + ".png"), base.with_name(base.name + ".map.png")
            Image.fromarray(overlay(sample.pixels, heatmap)).save(over)
            Image.fromarray(coloured(heatmap)).save(alone)
            written += [over, alone]
    return written


def _heatmap(sample: ImageSample, signal: Signal) -> Heatmap | None:
    """The signal's map, or the one that its detector draws when asked."""
    if isinstance(signal, Skipped):
        return None
    if signal.heatmap is not None:
        return signal.heatmap
    draw = get(signal.detector).heatmap
    return draw(sample) if draw is not None else None


def save_pictures(sample: ImageSample, signals: tuple[Signal, ...], folder: Path, stem: str) -> list[Path]:
    """Write `<stem>.<detector>.seen.png` for each detector among the signals that can show what it sees."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = {signal.detector for signal in signals}
    written = []
    for entry in entries():
        if entry.picture is not None and entry.spec.name in asked:
            path = folder / f"{stem}.{entry.spec.name}.seen.png"
            Image.fromarray(entry.picture(sample)).save(path)
            written.append(path)
    return written


def coloured(heatmap: Heatmap) -> Pixels:
    """The map (values in [0, 1]) in colour, H x W x 3 uint8."""
    place = np.clip(heatmap, 0, 1) * (len(_STOPS) - 1)
    channels = [np.interp(place, np.arange(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def overlay(pixels: Pixels, heatmap: Heatmap) -> Pixels:
    """The map in colour over the greyed image, in the image's size."""
    height, width = pixels.shape[:2]
    stretched = Image.fromarray(coloured(heatmap)).resize((width, height), Image.Resampling.NEAREST)
    grey: NDArray[np.float64] = pixels.mean(axis=2, keepdims=True)
    mixed = _PICTURE_SHARE * grey + (1 - _PICTURE_SHARE) * np.asarray(stretched, dtype=np.float64)
    return np.rint(mixed).astype(np.uint8)
