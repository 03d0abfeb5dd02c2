"""`python -m benchmarks.localisation CSV`: whether the map of `crop_network` finds a generated part among real ones.

Six crops of one real source are laid out as one picture, a generated crop is pasted into it at any place, and the whole
is written as JPEG of quality 90, so that nothing but the content differs. Prints the AUC of the map's places, generated
against real ones, averaged over the pictures, with a bootstrap interval over the generated crops' sources.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from sklearn.metrics import roc_auc_score

from benchmarks.support.crop_network import crop_network, light_engine
from forensics.errors import DatasetError
from forensics.reading.decode import decode
from fusion.evaluation.metrics import estimate
from img_ml.command import run_command, told_errors
from img_ml.data.dataset import Row, read_rows

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
talk = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
COLUMNS, LINES, SIDE = 3, 2, 224
PARTS = COLUMNS * LINES


@app.command()
def main(
    dataset: Annotated[Path, typer.Argument(help="CSV with kinds and sources; images of 224 px or more.")],
    split: Annotated[str, typer.Option(help="train, val or test; the packaged network knows train and val.")] = "test",
    pictures: Annotated[int, typer.Option(min=2, help="Maximum number of pictures to make.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of what is put together.")] = 0,
) -> None:
    """Measure the map of the detector `crop_network` on pictures with one generated part."""
    with told_errors(talk):
        rows = [row for row in read_rows(dataset) if row.split == split]
        random = np.random.default_rng(seed)
        chosen = _generated(rows, pictures, random)
        network = crop_network(light_engine())
        found = []
        for row in track(chosen, "Measuring", console=talk, transient=True, disable=not talk.is_terminal):
            # Anywhere: the map's own windows lie side by side, and a part that fills one of them is the easiest.
            place = int(random.integers((LINES - 1) * SIDE + 1)), int(random.integers((COLUMNS - 1) * SIDE + 1))
            picture = _picture(row, _neighbours(rows, random), place)
            heatmap = network.located(decode(picture))
            assert heatmap is not None
            found.append(auc_of_places(heatmap, place))
    values = np.array(found)
    told = estimate(lambda weight: float(np.average(values, weights=weight)), np.array([row.source for row in chosen]))
    typer.echo(
        f"{len(found)} pictures: AUC {told.value:.3f} [{told.sources.low:.3f}, {told.sources.high:.3f}] over sources"
    )


def _generated(rows: Sequence[Row], count: int, random: np.random.Generator) -> list[Row]:
    ai = [row for row in rows if row.kind == "ai"]
    if not ai or not any(row.kind == "real" for row in rows):
        raise DatasetError("The split needs images of the kinds ai and real.")
    return [ai[place] for place in random.permutation(len(ai))[:count].tolist()]


def _neighbours(rows: Sequence[Row], random: np.random.Generator) -> list[Row]:
    """Real crops of one source."""
    real = [row for row in rows if row.kind == "real"]
    source = real[int(random.integers(len(real)))].source
    pool = [row for row in real if row.source == source]
    return [pool[place] for place in random.choice(len(pool), PARTS, replace=len(pool) < PARTS).tolist()]


def _picture(generated: Row, neighbours: Sequence[Row], place: tuple[int, int]) -> bytes:
    """The JPEG of the neighbours side by side, the generated crop over them with its upper left corner at the place."""
    canvas = Image.new("RGB", (COLUMNS * SIDE, LINES * SIDE))
    for index, neighbour in enumerate(neighbours):
        canvas.paste(_crop(neighbour), (index % COLUMNS * SIDE, index // COLUMNS * SIDE))
    canvas.paste(_crop(generated), place[::-1])
    buffer = io.BytesIO()
    canvas.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _crop(row: Row) -> Image.Image:
    return Image.fromarray(decode(row.path.read_bytes()).pixels[:SIDE, :SIDE])


def auc_of_places(heatmap: NDArray[np.float32], place: tuple[int, int]) -> float:
    """How well the map tells the places of the part, whose upper left corner lies there, from the others."""
    mask = np.zeros((LINES * SIDE, COLUMNS * SIDE), dtype=np.uint8)
    mask[place[0] : place[0] + SIDE, place[1] : place[1] + SIDE] = 1
    size = (heatmap.shape[1], heatmap.shape[0])
    inside = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return float(roc_auc_score(inside.ravel(), heatmap.ravel()))


if __name__ == "__main__":
    run_command(app)
