"""What the authors' way of reading files changes in verdicts: `python -m benchmarks.as_published dataset.csv`.

Of each image three files are made, for which the ways differ: cut out to an ellipse with the colours kept under the
transparency, turned by an EXIF tag alone, and grey in 16 bits.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from forensics.errors import DatasetError
from forensics.reading.decode import DecodeLimits, decode
from forensics.settings import load as load_settings
from forensics.types import Pixels
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from img_ml.command import data_console, run_command, told_errors
from img_ml.data.dataset import read_dataset
from img_ml.settings import ImgMlSettings

ORIENTATION = 0x0112
WAYS = (DecodeLimits(), DecodeLimits(as_published=True))


def _cut_out(pixels: Pixels) -> bytes:
    height, width = pixels.shape[:2]
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    alpha = np.where(rows**2 + columns**2 <= 1, 255, 0).astype(np.uint8)
    return _png(Image.fromarray(np.dstack([pixels, alpha])))


def _turned(pixels: Pixels) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return _png(Image.fromarray(np.rot90(pixels).copy()), exif=exif)


def _sixteen_bits(pixels: Pixels) -> bytes:
    grey = np.asarray(Image.fromarray(pixels).convert("L")).astype(np.uint16) * 257
    return _png(Image.fromarray(grey))


KINDS: Mapping[str, Callable[[Pixels], bytes]] = {
    "transparent around": _cut_out,
    "turned by EXIF": _turned,
    "grey in 16 bits": _sixteen_bits,
}


def compare(
    dataset: Annotated[Path, typer.Argument(help="CSV with the columns filepath,label,split (source).")],
    split: Annotated[str, typer.Option(help="Split whose images are taken.")] = "test",
    images: Annotated[int, typer.Option(min=1, help="Number of images, evenly spread over the split.")] = 24,
) -> None:
    """Judge the same files in both ways and print how far probabilities and labels move."""
    talk = Console(stderr=True)
    with told_errors(talk):
        rows = [row for row in read_dataset(dataset) if row.split == split]
        if not rows:
            raise DatasetError(f"{dataset} has no images of the split {split}.")
        chosen = rows[:: max(1, len(rows) // images)][:images]
        judge = load_judge(load_settings(ImgMlSettings), load_settings(FusionSettings))
        table = Table("File", f"Mean change, {len(chosen)} images", "Largest", "Other label", "Not judged, theirs")
        shown = track(chosen, "Judging", console=talk, disable=not talk.is_terminal)
        originals = [decode(row.path.read_bytes()).pixels for row in shown]
        for kind, made in KINDS.items():
            ours, theirs = _judged(judge, [made(pixels) for pixels in originals])
            both = [(a, b) for a, b in zip(ours, theirs, strict=True) if a[0] is not None and b[0] is not None]
            changes = [abs(a[0] - b[0]) for a, b in both]  # type: ignore[operator]
            others = sum(a[1] != b[1] for a, b in zip(ours, theirs, strict=True))
            moved = [f"{np.mean(changes):.3f}", f"{max(changes):.3f}"] if changes else ["-", "-"]
            table.add_row(kind, *moved, str(others), str(sum(b[0] is None for b in theirs)))
    data_console().print(table)


def _judged(judge: Judge, files: list[bytes]) -> list[list[tuple[float | None, str]]]:
    """Probability and label of each file, by our way and by theirs."""
    found: list[list[tuple[float | None, str]]] = []
    for limits in WAYS:
        verdicts = [judge.judge([decode(data, limits)])[0] for data in files]
        found.append([(verdict.fusion_prob, verdict.label) for verdict in verdicts])
    return found


def _png(image: Image.Image, exif: Image.Exif | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif) if exif is not None else image.save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    run_command(compare)
