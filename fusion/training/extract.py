"""Features of a dataset: every wanted view of every image through a profile's detectors, each measured only once."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from forensics.errors import DatasetError, ImgMlError, JobError
from forensics.examine import Examined, examine
from forensics.reading.decode import DecodeLimits, decode
from forensics.reading.sniff import media_type_of
from forensics.registry import DetectorSpec, get
from forensics.sandbox.sandbox import Sandbox
from forensics.sandbox.settings import SandboxSettings
from forensics.settings import load as load_settings
from forensics.types import Skipped
from fusion.features import schema_of
from fusion.training.cache import CachedSignal, Column, FeatureCache, Key, image_key
from fusion.training.table import FeatureTable
from img_ml.data.dataset import Row
from img_ml.data.views import View, render_view
from img_ml.engine.engine import Engine
from img_ml.engine.held_out import held_out_probability

# What a killed run may lose: so many views, or so many seconds of work.
_FLUSH_VIEWS = 1000
_FLUSH_S = 10.0
_BATCH = 32

Floating = TypeVar("Floating", np.float32, np.float64)
Views = Callable[[Row, str], Sequence[View]]


@dataclass(frozen=True, slots=True)
class _Image:
    """One row of the dataset, read once: its key, its format, and the views wanted of it."""

    row: Row
    key: str
    file_format: str
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    path: Path
    views: tuple[View, ...]
    analyzers: tuple[str, ...]
    keep_pixels: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """One view after the analyzers."""

    image: str
    view: str
    examined: Examined


@dataclass(slots=True)
class _Store:
    """New entries on their way to the cache, by detector; written in files of some size."""

    cache: FeatureCache
    engine: Engine
    known: dict[str, set[Key]]
    waiting: dict[str, list[CachedSignal]] = field(default_factory=dict)
    written: float = field(default_factory=time.monotonic)

    def take(self, seen: Sequence[_Seen]) -> None:
        """Note the signals that are new; a detector that failed is asked again in the next run."""
        for one in seen:
            for signal in one.examined.evidence.signals:
                key = (one.image, one.view)
                known = self.known.get(signal.detector)
                if known is None or key in known or _failed(signal):
                    continue
                known.add(key)
                self.waiting.setdefault(signal.detector, []).append(CachedSignal(*key, signal))
        if max(map(len, self.waiting.values()), default=0) >= _FLUSH_VIEWS or self._is_late():
            self.flush()

    def _is_late(self) -> bool:
        return time.monotonic() - self.written > _FLUSH_S

    def flush(self) -> None:
        """Write what is waiting."""
        for name in list(self.waiting):
            self.cache.add(get(name).spec, self.waiting[name], self.engine.marks.get(name, ""))
            del self.waiting[name]
        self.written = time.monotonic()


def _failed(signal: object) -> bool:
    return isinstance(signal, Skipped) and signal.reason.startswith("failed")


def extract(rows: Sequence[Row], engine: Engine, cache: FeatureCache, views: Views, talk: Console) -> FeatureTable:
    """The features of the wanted views of each row; what the cache holds is not measured again.

    Rows whose image cannot be decoded are left out, with a word on `talk`. Raises DatasetError where none is left,
    OSError where the cache cannot be written.
    """
    for name, reason in engine.missing.items():
        talk.print(f"{name} is left out: {reason}", markup=False, highlight=False)
    if engine.as_published:
        cache = cache.of_other_pixels("as_published")
    images = _read(rows, views)
    known = {name: cache.keys(get(name).spec, engine.marks.get(name, "")) for name in engine.present}
    tasks = _tasks(images, engine, known)
    wanted, todo = sum(len(image.views) for image in images), sum(len(task.views) for task in tasks)
    talk.print(f"{wanted} views of {len(images)} images: {wanted - todo} are in the cache, {todo} to measure.")
    if tasks:
        _measure(tasks, _Store(cache, engine, known), talk)
    for name in engine.present:
        cache.compact(get(name).spec, engine.marks.get(name, ""))
    return _table(images, engine, cache, talk)


def _read(rows: Sequence[Row], views: Views) -> list[_Image]:
    def read(row: Row) -> _Image:
        data = row.path.read_bytes()
        key = image_key(data)
        return _Image(row, key, _file_format(data), tuple(views(row, key)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(read, rows))


def _file_format(data: bytes) -> str:
    try:
        return media_type_of(data).partition("/")[2].upper()
    except ImgMlError:
        return ""


def _original_format(image: _Image) -> str:
    """The format the CSV names (of the original where the file is a crop of it), else that of the file."""
    named = image.row.record.get("source_format") or image.row.record.get("format")
    return named.upper() if named else image.file_format


def _tasks(images: Sequence[_Image], engine: Engine, known: dict[str, set[Key]]) -> list[_Task]:
    """What is still to be done: for each image the views and detectors that the cache lacks."""
    tasks, begun = [], set()
    for image in images:
        lacking = [(v, [n for n in engine.present if (image.key, v.name) not in known[n]]) for v in image.views]
        todo = tuple(view for view, names in lacking if names and (image.key, view.name) not in begun)
        if not todo:
            continue
        begun |= {(image.key, view.name) for view in todo}
        wanted = {name for _, names in lacking for name in names}
        analyzers = tuple(name for name in engine.analyzers if name in wanted)
        tasks.append(_Task(image.row.path, todo, analyzers, not wanted.isdisjoint(engine.learned)))
    return tasks


def _measure(tasks: Sequence[_Task], store: _Store, talk: Console) -> None:
    pending: list[_Seen] = []
    columns = (TextColumn("Extracting features"), BarColumn(), MofNCompleteColumn(), TextColumn("images"))
    clock = (TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, *clock, console=talk, disable=not talk.is_terminal) as progress:
            bar = progress.add_task("", total=len(tasks))
            for seen in _examined(tasks, store.engine.as_published):
                store.take([one for one in seen if one.examined.sample is None])
                pending += [one for one in seen if one.examined.sample is not None]
                while len(pending) >= _BATCH:
                    store.take(_completed(store.engine, pending[:_BATCH]))
                    del pending[:_BATCH]
                progress.advance(bar)
            store.take(_completed(store.engine, pending))
    finally:
        store.flush()


def _completed(engine: Engine, seen: Sequence[_Seen]) -> list[_Seen]:
    """The views with the learned detectors' signals added."""
    evidence = engine.complete([one.examined for one in seen])
    return [_Seen(one.image, one.view, Examined(e)) for one, e in zip(seen, evidence, strict=True)]


def _examined(tasks: Sequence[_Task], as_published: bool) -> Iterator[list[_Seen]]:
    """The views of each image; none of one that cannot be decoded."""
    with Sandbox(load_settings(SandboxSettings).sandbox_rules(as_published=as_published)) as sandbox:
        calls = ((task, sandbox.rules.limits) for task in tasks)
        for seen in sandbox.each(_views, calls, images=lambda task, _: 1 + len(task.views)):
            yield [] if isinstance(seen, JobError) else seen


def _views(task: _Task, limits: DecodeLimits) -> list[_Seen]:
    """The wanted views of an image."""
    seen = []
    sample = decode(task.path.read_bytes(), limits)
    for view in task.views:
        shown = decode(render_view(sample, view), limits)
        evidence = examine(shown, task.analyzers)
        seen.append(_Seen(sample.sha256, view.name, Examined(evidence, shown if task.keep_pixels else None)))
    return seen


def _table(images: Sequence[_Image], engine: Engine, cache: FeatureCache, talk: Console) -> FeatureTable:
    columns = {name: cache.read(get(name).spec, engine.marks.get(name, "")) for name in engine.present}
    shown = [
        (image, view.name)
        for image in images
        for view in image.views
        if any((image.key, view.name) in column.place for column in columns.values())
    ]
    lost = len(images) - len({id(image) for image, _ in shown})
    if lost:
        talk.print(f"{lost} images could not be decoded and were left out; python -m scripts.clean_dataset lists them.")
    if not shown:
        raise DatasetError("None of the images could be decoded.")
    keys = [(image.key, view) for image, view in shown]
    rows = [image.row for image, _ in shown]
    source = np.array([row.source for row in rows])
    return FeatureTable(
        schema=schema_of(columns),
        values=np.concatenate(
            [
                _features(get(name).spec, column, keys, source, engine.held_out.get(name, {}))
                for name, column in columns.items()
            ],
            axis=1,
        ),
        label=np.array([row.label for row in rows], dtype=np.int64),
        source=source,
        kind=np.array([row.kind for row in rows]),
        split=np.array([row.split for row in rows]),
        generator=np.array([row.generator for row in rows]),
        format=np.array([_original_format(image) for image, _ in shown]),
        file_format=np.array([image.file_format for image, _ in shown]),
        image=np.array([key for key, _ in keys]),
        view=np.array([view for _, view in keys]),
        embeddings={
            name: _padded(column.embedding)[column.rows(keys)]
            for name, column in columns.items()
            if column.embedding is not None and get(name).spec.head is not None
        },
        marks=engine.marks,
    )


def _features(
    spec: DetectorSpec,
    column: Column,
    keys: Sequence[Key],
    source: NDArray[np.str_],
    held_out: Mapping[str, int],
) -> NDArray[np.float64]:
    """The numbers that the detector offers to the fusion, NaN where it saw nothing.

    What it learned from is shown as it looks to a network that did not: the fusion would believe it too much.
    """
    offered = [spec.numbers.index(number) for number in spec.offered]
    rows = column.rows(keys)
    numbers = _padded(column.numbers)[rows]
    if held_out and column.embedding is not None and spec.probability is not None:
        place = spec.numbers.index(spec.probability)
        numbers[:, place] = held_out_probability(numbers[:, place], _padded(column.embedding)[rows], source, held_out)
    return numbers[:, offered]


def _padded(values: NDArray[Floating]) -> NDArray[Floating]:
    """The rows, and one of NaN for place -1."""
    return np.concatenate([values, np.full((1, values.shape[1]), np.nan, dtype=values.dtype)])
