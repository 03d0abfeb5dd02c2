"""`python -m benchmarks.support.bare_engine FOLDER PROCESSES BATCH IMAGES`: the engine by itself; says how far it is.

What it does: so many processes, each with the judge of the light profile and all files in memory. Each takes the next
batch, decodes and examines its files one after the other in the same process, and concludes on the batch. No HTTP, no
Redis, no asyncio, no JSON, no limits on an image's time and memory.
"""

import contextlib
import multiprocessing
import sys
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.support.photos import read
from benchmarks.support.processes import Running, running

READY = "engine is ready"
_POLL_S = 0.01


def work(folder: Path, batch: int, images: int, taken: Any, done: Any, ready: Barrier) -> None:
    """One process: batches until all images are taken; `done` counts finished images."""
    from forensics.examine import Examined, examine
    from forensics.reading.decode import decode
    from forensics.settings import load as load_settings
    from fusion.judge import load_judge
    from fusion.settings import FusionSettings
    from img_ml.settings import ImgMlSettings

    judge = load_judge(load_settings(ImgMlSettings), load_settings(FusionSettings))
    files = [content for _, content in read(folder)]
    ready.wait()
    for first in _batches(taken, batch, images):
        chosen = [files[number % len(files)] for number in range(first, min(first + batch, images))]
        verdicts = judge.conclude([Examined(examine(decode(one), judge.analyzers)) for one in chosen])
        with done.get_lock():
            done.value += len(verdicts)


def _batches(taken: Any, batch: int, images: int) -> Iterator[int]:
    """The first image of each batch that nobody else has taken."""
    while True:
        with taken.get_lock():
            first, taken.value = taken.value, taken.value + batch
        if first >= images:
            return
        yield first


def main(folder: Path, processes: int, batch: int, images: int) -> None:
    """Work on all images; one byte on stdout for each image done, after a line that says that all is loaded."""
    spawn = multiprocessing.get_context("spawn")
    taken, done, ready = spawn.Value("q", 0), spawn.Value("q", 0), spawn.Barrier(processes + 1)
    arguments = (folder, batch, images, taken, done, ready)
    workers = [spawn.Process(target=work, args=arguments, daemon=True) for _ in range(processes)]
    for one in workers:
        one.start()
    ready.wait(timeout=120)
    print(READY, flush=True)
    told = 0
    while True:
        time.sleep(_POLL_S)
        more = "." * (done.value - told)
        print(more, end="", flush=True)
        told += len(more)


@contextlib.contextmanager
def bare_engine(folder: Path, processes: int, batch: int, images: int, **settings: str) -> Iterator[Running]:
    """The engine at work, in a group of processes of its own, for the time of the block."""
    arguments = [str(folder), str(processes), str(batch), str(images)]
    with running([sys.executable, "-m", "benchmarks.support.streams.bare_engine", *arguments], **settings) as engine:
        yield engine.until_said(READY)


def finished(engine: Running) -> int:
    """How many images it has done."""
    return engine.said().partition(READY)[2].count(".")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
