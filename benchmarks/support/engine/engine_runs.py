"""Runs of the engine's learned detectors over decoded images, and the two ways they are compared with."""

import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

from PIL import Image

from benchmarks.support.command import talk
from benchmarks.support.engine.device_clock import busy_share, forget_peak, peak_mib, seconds
from benchmarks.support.engine.one_at_a_time import PLAIN
from forensics.examine import Examined, examine
from forensics.types import ImageSample
from img_ml.engine.abilities import FollowsDevice
from img_ml.engine.device import Compile
from img_ml.engine.engine import Engine
from img_ml.engine.loaded import LearnedDetector
from img_ml.weights.store import installed
from img_ml.weights.table import find

_PLAIN_IMAGES = 3
_LEAST_BARE = 2
# Batches of the run that the busy share is taken from.
_FOR_BUSY = 8


@dataclass(frozen=True, slots=True)
class Workload:
    """So many images out of a few different ones, so many at once."""

    different: tuple[ImageSample, ...]
    images: int
    batch: int

    def batches(self, most: int | None = None) -> list[list[Examined]]:
        """Batches of arrays of their own: no detector has seen them, and nothing of them is on the device."""
        turn = itertools.cycle(self.different)
        count = self.images if most is None else min(most * self.batch, self.images)
        samples = [replace(one, pixels=one.pixels.copy()) for one in itertools.islice(turn, count)]
        examined = [Examined(examine(sample, ()), sample) for sample in samples]
        return [examined[at : at + self.batch] for at in range(0, count, self.batch)]

    def samples(self) -> list[ImageSample]:
        """The samples of one batch, likewise."""
        return [cast(ImageSample, one.sample) for one in self.batches(1)[0]]


@dataclass(frozen=True, slots=True)
class Runs:
    """The rounds of one mode: seconds for an image through the engine, and of the bare passes for it by detector.

    `alone` are the seconds for an image of each detector by itself.
    """

    seconds: tuple[float, ...]
    bare: tuple[Mapping[str, float], ...]
    alone: Mapping[str, float]
    busy: float
    peak: Mapping[str, int]


def measured(engine: Engine, load: Workload, device: str, mode: Compile, repeat: int) -> Runs:
    """The rounds of one mode; bare passes and the engine take turns."""
    _follow(engine, mode)
    for _ in range(2):  # compiles, records, fills the caches
        _through(engine, load.batches(1))()
    forget_peak(device)
    took, bare = [], []
    for number in range(repeat):
        bare.append({one.name: _bare(one, load.samples(), device) for one in engine.loaded})
        took.append(seconds(_through(engine, load.batches()), device) / load.images)
        talk.print(f"{mode}, round {number + 1} of {repeat}: {1 / took[-1]:.2f} images/s")
    peak = peak_mib(device)
    alone = {one.name: _alone(one, load.samples(), device) for one in engine.loaded}
    busy = busy_share(_through(engine, load.batches(_FOR_BUSY)), device)
    return Runs(tuple(took), tuple(bare), alone, busy, peak)


def _through(engine: Engine, batches: list[list[Examined]]) -> Callable[[], None]:
    """The batches, each forgotten as soon as it is done, as the worker does."""

    def work() -> None:
        while batches:
            engine.complete(batches.pop(0))

    return work


def _alone(one: LearnedDetector, samples: Sequence[ImageSample], device: str) -> float:
    return seconds(lambda: one.signals(samples), device) / len(samples)


def _follow(engine: Engine, mode: Compile) -> None:
    for one in engine.loaded:
        placed = engine.plan.of(one.name)
        if isinstance(one.detector, FollowsDevice) and placed is not None:
            turns = placed.place == "takes turns"
            one.detector.follow(placed.micro_batch, "off" if turns and mode == "graphs" else mode)


def _bare(one: LearnedDetector, samples: Sequence[ImageSample], device: str) -> float:
    """Seconds of the network alone for one of those samples.

    As many are taken as fill a micro-batch, for all of their views are held at once: ManTra-Net's take 400 MB each.
    """
    few = samples[: max(one.detector.micro_batch, _LEAST_BARE)]  # type: ignore[union-attr]
    with one.present() if one.present is not None else contextlib.nullcontext():
        passes = one.detector.prepared(few)  # type: ignore[union-attr]
        passes()
        return seconds(passes, device) / len(few)


def plain_seconds(engine: Engine, weights: Path, load: Workload, device: str) -> dict[str, float]:
    """Seconds for one image by each detector that a plain way is known for, one image and one model at a time."""
    pictures = [Image.fromarray(sample.pixels) for sample in load.different[:_PLAIN_IMAGES]]
    found = {}
    for one in engine.loaded:
        placed = engine.plan.of(one.name)
        if one.name not in PLAIN or placed is None:
            continue
        # In memory for its turn only: the plain ways of large networks together would not fit beside the engine.
        # Of several weights the first are the network's, the others a small classifier's behind it.
        first = placed.demand.weights.split(", ")[0]
        way = PLAIN[one.name](installed(find(first), weights), device)
        way(pictures[0])
        found[one.name] = median(seconds(partial(way, picture), device) for picture in pictures)
    return found
