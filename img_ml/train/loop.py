"""The training loop that all networks share: AdamW, a schedule, a running mean, early stopping, checkpoints."""

import copy
import math
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from torch import Tensor, nn, optim

from forensics.errors import TrainingError
from img_ml.train.checkpoint import CheckpointStore, TrainingProgress
from img_ml.train.plan import TrainingPlan
from img_ml.train.tracking import Tracker

Batch = TypeVar("Batch")
# The batches of the steps [first, last); each follows from its number alone.
Batches = Callable[[int, int], Iterator[Batch]]
Stopping = Callable[[], AbstractContextManager[Sized]]


@dataclass(frozen=True, slots=True)
class Trained:
    """The state of the network that is kept, on the CPU, and how it came about."""

    state: dict[str, Tensor]
    progress: TrainingProgress


class Task(ABC, Generic[Batch]):
    """What is trained: a network, the loss of a batch, and how good the network is.

    `decides` names the figures of `judged` that say which state is the best, by more and the first one first; where
    there are none, the last state is kept. `rate_option` is how a user lowers the learning rate.
    """

    decides: tuple[str, ...] = ()
    rate_option = "--learning-rate"

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @abstractmethod
    def losses(self, batch: Batch, step: int) -> Iterable[Tensor]:
        """The parts of the batch's loss, whose sum it is; each is done with before the next."""

    @abstractmethod
    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """Figures of the network, or of its running mean, on the validation images."""

    @abstractmethod
    def told(self, figures: Mapping[str, float]) -> str:
        """The figures in words."""

    def when(self, step: int) -> str:
        """The step in words."""
        return f"Step {step}"

    def clip(self) -> None:
        """Called with the gradients of each step, before they are used."""


class Loop(Generic[Batch]):
    """One training; `stopping` gives what is no longer empty once it shall stop, Ctrl-C by default.

    `low` computes the losses in bfloat16, by default on cuda. `tracker` takes the figures of each check.
    """

    def __init__(
        self,
        task: Task[Batch],
        plan: TrainingPlan,
        device: str,
        talk: Console,
        stopping: Stopping | None = None,
        *,
        low: bool | None = None,
        tracker: Tracker | None = None,
    ) -> None:
        self._task, self._plan, self._talk = task, plan, talk
        self._device, self._stopping, self._tracker = torch.device(device), stopping or asked_to_stop, tracker
        self._low = self._device.type == "cuda" if low is None else low
        self._network = task.network.to(device)
        if plan.channels_last:
            self._network.to(memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._network) if plan.average else None
        self._optimizer = adamw(self._network, plan)
        self._progress, self._best = TrainingProgress(), dict[str, Tensor]()

    def run(self, batches: Batches[Batch], checkpoint: CheckpointStore | None = None) -> Trained:
        """Train, going on from the checkpoint where it holds something.

        Raises KeyboardInterrupt, the checkpoint written, when it was asked to stop; TrainingError where it diverges.
        """
        found = checkpoint.read(self._network, self._optimizer, self._average) if checkpoint else None
        if found is not None:
            self._progress, self._best = found
            self._talk.print(f"Resuming after {self._task.when(self._progress.step).lower()}.")
        with self._stopping() as stop:
            for checked in self._steps(batches, stop):
                if checkpoint and (checked or stop):
                    checkpoint.write(self._progress, self._network, self._optimizer, self._best, self._average)
                if stop:
                    raise KeyboardInterrupt
        return Trained(self._best if self._task.decides else on_host(self._evaluated), self._progress)

    def _steps(self, batches: Batches[Batch], stop: Sized) -> Iterator[bool]:
        """Train to the end; after each step that was followed by a check, True, and False where it is to stop."""
        plan, done = self._plan, self._progress.step
        if self._is_over():
            return
        losses: list[Tensor] = []
        began = time.monotonic() - self._progress.seconds
        with progress_bar(self._talk) as bar:
            line = bar.add_task("Training", total=plan.steps, completed=done)
            for step, batch in enumerate(batches(done, plan.steps), start=done):
                losses.append(self._step(step, batch))
                seconds = time.monotonic() - began if plan.minutes else 0.0
                checked = (step + 1) % plan.check_every == 0 or plan.is_over(step + 1, seconds)
                self._progress = replace(self._progress, step=step + 1, seconds=seconds)
                bar.advance(line)
                if checked:
                    self._check(float(torch.stack(losses).mean()))
                    losses.clear()
                if checked or stop:
                    yield checked
                if self._is_over():
                    return

    def _step(self, step: int, batch: Batch) -> Tensor:
        # Dropout follows from the step too, so that a resumed training is the same training.
        torch.manual_seed(self._plan.seed * 1_000_003 + step)
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * self._plan.learning_rate_at(step, self._progress.seconds)
        self._network.train()
        self._optimizer.zero_grad()
        total = torch.zeros((), device=self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._low):
            for loss in self._task.losses(batch, step):
                loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types here
                total = total + loss.detach()
        self._task.clip()
        self._optimizer.step()
        if self._average is not None:
            _move(self._average, self._network, 1 - self._plan.kept_at(step + 1))
        return total

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The training diverged (its loss is not finite): choose a lower {self._task.rate_option}."
            )
        self._evaluated.eval()
        with torch.no_grad():
            figures = dict(self._task.judged(self._evaluated))
        step, judged = self._progress.step, tuple(figures[name] for name in self._task.decides)
        self._progress = replace(self._progress, checks=(*self._progress.checks, {"step": step, **figures}))
        if self._tracker is not None:
            rate = self._optimizer.param_groups[0]["lr"]
            told = {"train/loss": loss, "train/learning_rate": rate, **figures}
            self._tracker.write(len(self._progress.checks), told)
        if judged > self._progress.best:
            self._progress = replace(self._progress, best=judged, best_step=step)
            self._best = on_host(self._evaluated)
        self._talk.print(f"{self._task.when(step)}: loss {loss:.4f}, {self._task.told(figures)}", highlight=False)

    @property
    def _evaluated(self) -> nn.Module:
        """The network that is looked at and kept: the running mean where there is one."""
        return self._network if self._average is None else self._average

    def _is_over(self) -> bool:
        """Whether the steps are done, the time is over, or patience is."""
        waited = self._progress.step - self._progress.best_step if self._task.decides else 0
        over = self._plan.is_over(self._progress.step, self._progress.seconds)
        return over or waited >= self._plan.patience * self._plan.check_every


def on_host(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the network's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def adamw(network: nn.Module, plan: TrainingPlan) -> optim.Optimizer:
    """AdamW over what learns; what has one axis (biases, normalisation) does not decay."""
    training = [(plan.rate_share(name), one) for name, one in network.named_parameters() if one.requires_grad]
    groups: list[dict[str, Any]] = []
    for share in dict.fromkeys(share for share, _ in training):
        own = [one for its, one in training if its == share]
        decayed, plain = [one for one in own if one.ndim > 1], [one for one in own if one.ndim <= 1]
        groups.append({"params": decayed, "weight_decay": plan.weight_decay, "share": share})
        groups.append({"params": plain, "weight_decay": 0.0, "share": share})
    return optim.AdamW(groups, lr=plan.learning_rate, betas=plan.betas)


@torch.no_grad()
def _move(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move the running mean by that share towards the network; what is counted is taken over."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


def progress_bar(talk: Console) -> Bar:
    """A bar of steps that goes when it is done; nothing where `talk` is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Bar(*columns, console=talk, transient=True, disable=not talk.is_terminal)


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """A list that is filled by Ctrl-C; a second Ctrl-C ends at once, as ever."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
