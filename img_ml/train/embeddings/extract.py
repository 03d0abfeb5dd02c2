"""From images to a folder of embeddings, part by part, so that an interrupted run goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from forensics.errors import JobError
from forensics.files import write_atomically
from forensics.reading.decode import decode
from forensics.types import ImageSample
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.image_files import image_files
from img_ml.data.views import draw_view, render_view
from img_ml.detectors._siglip_embedder import SiglipEmbedder
from img_ml.train.embeddings.folder import Embeddings, Origin, array_bytes, write_embeddings

# Images whose embeddings are written at once.
_PART = 512


@dataclass(frozen=True, slots=True)
class Shown:
    """How an image is shown: as it is (`views` 0), or through that many random views, drawn from `seed`."""

    views: int
    seed: int


def rows_of_folders(real: Path, ai: Path, most_real: int | None, most_ai: int | None, seed: int) -> list[Row]:
    """A row for each image under the two folders, at most so many of each, drawn at random; each its own source."""
    return [*_rows_of(real, 0, "real", most_real, seed), *_rows_of(ai, 1, "ai", most_ai, seed)]


def _rows_of(folder: Path, label: int, kind: str, most: int | None, seed: int) -> list[Row]:
    paths = image_files(folder)
    if most is not None and most < len(paths):
        drawn = np.random.default_rng(seed).choice(len(paths), most, replace=False)
        paths = [paths[place] for place in np.sort(drawn).tolist()]
    return [Row(path, label, "", str(path), kind) for path in paths]


def extract(
    rows: Sequence[Row],
    embedder: SiglipEmbedder,
    origin: Origin,
    shown: Shown,
    folder: Path,
    batch: int,
    threads: int,
    talk: Console,
) -> int:
    """Embed the rows' images into the folder; how many could not be, which are left out.

    Raises DatasetError where nothing is left of a class.
    """
    mark = _mark(rows, origin, shown)
    parts = folder / "parts" / mark
    starts = range(0, len(rows), _PART)
    values = []
    with ThreadPoolExecutor(threads) as pool:
        for start in track(starts, "Embedding", console=talk, transient=True, disable=not talk.is_terminal):
            path = parts / f"{start}.npy"
            if not path.is_file():
                found = _part(rows[start : start + _PART], embedder, shown, batch, pool)
                write_atomically(path, array_bytes(found))
            values.append(np.load(path, allow_pickle=False))
    each = max(shown.views, 1)
    whole = np.concatenate(values)
    known = ~np.isnan(whole).any(axis=1)
    repeated = [row for row in rows for _ in range(each)]
    table = Embeddings(
        whole,
        np.array([row.label for row in repeated], dtype=np.int64),
        np.array([str(row.path) for row in repeated]),
        np.array([row.split for row in repeated]),
        np.array([row.source for row in repeated]),
        origin,
    ).where(known)
    if set(table.labels.tolist()) != {0, 1}:
        raise DatasetError("No image of one class could be embedded: both classes are needed.")
    write_embeddings(folder, table)
    shutil.rmtree(folder / "parts", ignore_errors=True)
    return int((~known).sum()) // each


def _part(
    rows: Sequence[Row], embedder: SiglipEmbedder, shown: Shown, batch: int, pool: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """The embeddings of the views of the rows' images (rows x views, d), NaN where there is none."""
    each = max(shown.views, 1)
    found = np.full((len(rows) * each, embedder.dimension), np.nan, dtype=np.float32)
    step = max(1, batch // each)
    for start in range(0, len(rows), step):
        seen = pool.map(_samples, rows[start : start + step], repeat(shown))
        samples = [(start * each + place, sample) for place, sample in enumerate(_flat(seen)) if sample is not None]
        for (place, _), embedding in zip(samples, embedder([sample for _, sample in samples]), strict=True):
            if embedding is not None:
                found[place] = embedding
    return found


def _flat(seen: Iterator[list[ImageSample | None]]) -> Iterator[ImageSample | None]:
    for samples in seen:
        yield from samples


def _samples(row: Row, shown: Shown) -> list[ImageSample | None]:
    try:
        sample = decode(row.path.read_bytes())
        if not shown.views:
            return [sample]
        drawn = (draw_view(sample.sha256, index, shown.seed) for index in range(shown.views))
        return [decode(render_view(sample, view)) for view in drawn]
    except (JobError, OSError):
        return [None] * max(shown.views, 1)


def _mark(rows: Sequence[Row], origin: Origin, shown: Shown) -> str:
    listed = [[str(row.path), row.label] for row in rows]
    told = json.dumps([listed, asdict(origin), asdict(shown)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
