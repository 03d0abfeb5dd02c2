"""Cross-fitted members: one network for each fold, trained side by side in processes of one core each."""

import io
import json
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence, Sized
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from forensics.errors import TrainingError
from forensics.parent_watch import end_with_parent
from img_ml.command import PlainConsole
from img_ml.train.augment import augmented
from img_ml.train.classifying import train_classifier
from img_ml.train.crossfit.rows import Fold, with_extra
from img_ml.train.crossfit.small_networks import NetworkDesign, network_of
from img_ml.train.kept_memory import keep_memory
from img_ml.train.loop import Trained, asked_to_stop
from img_ml.train.pixel_store import PixelStore
from img_ml.train.plan import TrainingPlan

_stop: Event | None = None


@dataclass(frozen=True, slots=True)
class MemberJob:
    """All that a member's process needs: what it is, what it learns from, where it keeps its state."""

    member: int
    design: NetworkDesign
    plan: TrainingPlan
    fold: Fold
    extra_share: float
    pixels: Path
    checkpoint: Path
    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class CrossfitWorkspace:
    """Where members are trained: the folder of their checkpoints, the device, so many at once, threads for each."""

    folder: Path
    device: str
    jobs: int
    threads: int


def train_members(
    design: NetworkDesign,
    plan: TrainingPlan,
    folds: Sequence[Fold],
    extra_share: float,
    pixels: Path,
    place: CrossfitWorkspace,
) -> list[Trained]:
    """Train a member for each fold; the checkpoints stay.

    Their results follow from seed, steps and rows alone, however many run at once. Raises DatasetError where one could
    not be trained, KeyboardInterrupt (the checkpoints written) after Ctrl-C.
    """
    tasks = [
        MemberJob(
            member,
            design,
            replace(plan, seed=plan.seed + member),
            fold,
            extra_share,
            pixels,
            checkpoint_of(place.folder, member),
            place.device,
            place.threads,
        )
        for member, fold in enumerate(folds)
    ]
    processes = multiprocessing.get_context("forkserver")
    # Loaded once, not anew for each member.
    processes.set_forkserver_preload([__name__])
    stop = processes.Event()
    with (
        ProcessPoolExecutor(min(place.jobs, len(tasks)), processes, _begin, (stop,)) as pool,
        asked_to_stop() as asked,
    ):
        with _ignoring_ctrl_c():
            running = [pool.submit(_train, task) for task in tasks]
        try:
            return _finished(running, asked, stop)
        except BrokenProcessPool:
            raise TrainingError(
                "A member's process died, perhaps out of memory. The same command resumes from what was kept; "
                "--jobs 1 needs the least memory."
            ) from None
        finally:
            # What still runs ends at its next step; a member that is done notices nothing.
            stop.set()
            for one in running:
                one.cancel()


def checkpoint_of(folder: Path, member: int) -> Path:
    """Where a member keeps its state while it trains."""
    return folder / f"member{member}.checkpoint.safetensors"


def _finished(running: Sequence[Future[Trained]], asked: Sized, stop: Event) -> list[Trained]:
    left = set(running)
    while left:
        try:
            for one in as_completed(left, timeout=0.2):
                one.result()
                left.discard(one)
        except TimeoutError:
            pass
        if asked:
            stop.set()
            for one in running:
                one.cancel()
            raise KeyboardInterrupt
    return [one.result() for one in running]


@contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Processes that are begun here never see Ctrl-C; who began them tells them to stop."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(stop: Event) -> None:
    global _stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # decoding processes, of the same server, are deaf to it
    _stop = stop
    torch.set_num_threads(1)
    keep_memory()
    end_with_parent()


class _Stopped(Sized):
    """No longer empty once the process that began this one wants it to end."""

    def __len__(self) -> int:
        return int(_stop is not None and _stop.is_set())


@contextmanager
def _told_to_stop() -> Iterator[Sized]:
    yield _Stopped()


def _train(task: MemberJob) -> Trained:
    """One member, in a process of its own."""
    network = network_of(task.design, task.plan.seed)
    division, weigh = with_extra(task.fold, task.extra_share)
    talk = PlainConsole(file=_Prefixed(f"Member {task.member}: "), soft_wrap=True)
    talk.print(
        f"training on {len(division.training)} images, validating on {len(division.validation)} of other sources."
    )
    view = augmented(PixelStore(task.pixels), task.design.side)
    name = f"{json.dumps(task.design.facts())} {task.extra_share}"
    place = (division, task.checkpoint, task.threads)
    return train_classifier(network, task.plan, task.device, talk, name, *place, view, weigh, _told_to_stop)


class _Prefixed(io.StringIO):
    """Lines on stderr, each with the same beginning."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def write(self, text: str) -> int:
        for line in text.splitlines():
            sys.stderr.write(f"{self._prefix}{line}\n")
        return len(text)

    def flush(self) -> None:
        sys.stderr.flush()
