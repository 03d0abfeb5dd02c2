"""Pictures for people: a detector's heatmap over the image and alone, and what a detector makes of the image."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from forensics.registry import entries, get
from forensics.types import Heatmap, ImageSample, Pixels, Signal, Skipped
from img_ml.pictures.colours import coloured, palette

_PICTURE_SHARE = 0.35
# Long side of what is drawn; a map holds no detail that a larger picture could show.
LONGEST_SIDE = 1600
# Long side of a map that is laid over a picture by whoever shows it.
_MAP_SIDE = 384
_LEGEND = 36
_BAR_WIDTH = 160


def save_heatmaps(sample: ImageSample, signals: tuple[Signal, ...], folder: Path, stem: str) -> list[Path]:
    """Write `<stem>.<detector>.png` (over the greyed image) and `<stem>.<detector>.map.png` for each heatmap.

    Both have the image's shape, at most LONGEST_SIDE px, with a colour bar below.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    pixels = shrunk(sample.pixels)
    for signal, heatmap in located_maps(sample, signals):
        base = folder / f"{stem}.{signal.detector}"
        over, alone = base.with_name(base.name + ".png"), base.with_name(base.name + ".map.png")
        title = get(signal.detector).spec.title
        with_legend(overlay(pixels, heatmap), title).save(over)
        with_legend(_stretched(heatmap, pixels), title).save(alone)
        written += [over, alone]
    return written


def located_maps(sample: ImageSample, signals: tuple[Signal, ...]) -> Iterator[tuple[Signal, Heatmap]]:
    """Each signal that has a map, with the map; nothing shows where the image is transparent."""
    for signal in signals:
        heatmap = _heatmap(sample, signal)
        if heatmap is not None:
            yield signal, heatmap if sample.alpha is None else heatmap * _opaque(sample.alpha, heatmap)


def _opaque(alpha: Pixels, heatmap: Heatmap) -> Heatmap:
    """Per place of the map, 1 where the image can be seen and 0 where it is transparent."""
    height, width = heatmap.shape
    seen = Image.fromarray(alpha).resize((width, height), Image.Resampling.BOX)
    return (np.asarray(seen) >= 128).astype(np.float32)


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


def shrunk(pixels: Pixels, longest_side: int = LONGEST_SIDE) -> Pixels:
    """The picture with a long side of at most that many pixels."""
    if max(pixels.shape[:2]) <= longest_side:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((longest_side, longest_side), Image.Resampling.BOX)
    return np.asarray(image)


def overlay(pixels: Pixels, heatmap: Heatmap) -> Pixels:
    """The map in colour over the greyed image, in the image's size."""
    grey: NDArray[np.float64] = pixels.mean(axis=2, keepdims=True)
    mixed = _PICTURE_SHARE * grey + (1 - _PICTURE_SHARE) * _stretched(heatmap, pixels).astype(np.float64)
    return np.rint(mixed).astype(np.uint8)


def map_png(heatmap: Heatmap) -> bytes:
    """The map in colour as a PNG of the map's own shape, its long side at most 384 px."""
    values = np.rint(np.clip(heatmap, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(values)
    image.thumbnail((_MAP_SIDE, _MAP_SIDE), Image.Resampling.BOX)
    image.putpalette(palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _stretched(heatmap: Heatmap, pixels: Pixels) -> Pixels:
    """The map in colour, in the picture's size."""
    height, width = pixels.shape[:2]
    return np.asarray(Image.fromarray(coloured(heatmap)).resize((width, height), Image.Resampling.NEAREST))


def with_legend(pixels: Pixels, title: str) -> Image.Image:
    """The picture with its title and a colour bar from 0 to 1 below it."""
    height, width = pixels.shape[:2]
    page = Image.new("RGB", (width, height + _LEGEND), "white")
    page.paste(Image.fromarray(pixels), (0, 0))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    bar = Image.fromarray(palette()[None]).resize((min(_BAR_WIDTH, max(1, width - 40)), 12))
    top = height + 18
    draw.text((4, height + 2), title, fill="black", font=font)
    draw.text((4, top), "0", fill="black", font=font)
    page.paste(bar, (16, top + 2))
    draw.text((22 + bar.width, top), "1", fill="black", font=font)
    return page
