"""Features of a dataset: every view of every image through the profile's analyzers, on all cores."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from forensics.decode import decode
from forensics.errors import ImgMlError
from forensics.examine import examine
from fusion.dataset import Row
from fusion.features import FeatureSchema, schema_of, vector
from fusion.views import draw_view, render_view


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features (n, f) with what evaluation needs to know of each row."""

    schema: FeatureSchema
    values: NDArray[np.float64]
    label: NDArray[np.int64]
    source: NDArray[np.str_]
    kind: NDArray[np.str_]
    split: NDArray[np.str_]

    def where(self, mask: NDArray[np.bool_]) -> "FeatureTable":
        """The rows of a mask."""
        return FeatureTable(
            self.schema, self.values[mask], self.label[mask], self.source[mask], self.kind[mask], self.split[mask]
        )


@dataclass(frozen=True, slots=True)
class _Task:
    row: Row
    views: int
    seed: int
    detectors: tuple[str, ...]


def extract(rows: Sequence[Row], detectors: tuple[str, ...], views: int, seed: int) -> FeatureTable:
    """The features of `views` views of each training or validation image, and of one view of each test image."""
    tasks = [_Task(row, 1 if row.split == "test" else views, seed, detectors) for row in rows]
    # Two levels of parallelism fight over the cores; here the processes are the level that counts.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        results = pool.map(_features, tasks, chunksize=16)
        found = list(_with_progress(results, len(tasks)))
    return _table(rows, found, schema_of(detectors))


def _table(rows: Sequence[Row], found: Sequence[NDArray[np.float64]], schema: FeatureSchema) -> FeatureTable:
    repeated = [row for row, vectors in zip(rows, found, strict=True) for _ in vectors]
    return FeatureTable(
        schema,
        np.concatenate(found),
        np.array([row.label for row in repeated], dtype=np.int64),
        np.array([row.source for row in repeated]),
        np.array([row.kind for row in repeated]),
        np.array([row.split for row in repeated]),
    )


def _with_progress(results: Iterator[NDArray[np.float64]], total: int) -> Iterator[NDArray[np.float64]]:
    console = Console(stderr=True)
    yield from track(results, "Extracting features", total=total, console=console, disable=not console.is_terminal)


def _features(task: _Task) -> NDArray[np.float64]:
    """(views, f) features of one image; no rows for an image that cannot be decoded."""
    schema = schema_of(task.detectors)
    try:
        sample = decode(task.row.path.read_bytes())
    except ImgMlError:
        return np.empty((0, len(schema.features)))
    vectors = []
    for index in range(task.views):
        view = draw_view(sample.sha256, index, task.seed)
        evidence = examine(decode(render_view(sample, view)), task.detectors)
        vectors.append(vector(schema, evidence).values)
    return np.stack(vectors)
