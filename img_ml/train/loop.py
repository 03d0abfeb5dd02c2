"""The training loop that all networks share: AdamW, a cosine schedule, early stopping on held-out sources."""

import copy
import hashlib
import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor, nn, optim
from torch.nn import functional

from forensics.types import Pixels
from img_ml.data.dataset import DatasetError, Row
from img_ml.data.high_frequencies import Differences
from img_ml.train.checkpoint import Check, Progress, read_checkpoint, write_checkpoint
from img_ml.train.examples import NATIVE_CROPS, Batch, Division, Examples, View, Weigh, by_source
from img_ml.train.plan import Plan


@dataclass(frozen=True, slots=True)
class Trained:
    """The best state of the network, on the CPU, and how it came about."""

    state: dict[str, Tensor]
    progress: Progress


def mark_of(name: str, plan: Plan, division: Division) -> str:
    """What tells this training from others: the network, the plan and the rows."""
    rows = [
        [str(row.path), row.label, row.source, side]
        for side in ("learned", "watched")
        for row in getattr(division, side)
    ]
    return hashlib.sha256(json.dumps([name, asdict(plan), rows]).encode()).hexdigest()


class Loop:
    """One training of a network from images n x 3 x H x W in grey levels, as `view` shows them, to logits (n,).

    `weigh` says how often an image is drawn, `stopping` gives what is no longer empty
    once the training shall stop.
    """

    def __init__(
        self,
        network: nn.Module,
        plan: Plan,
        device: str,
        talk: Console,
        view: View = NATIVE_CROPS,
        weigh: Weigh = by_source,
        stopping: "Callable[[], AbstractContextManager[Sized]] | None" = None,
    ) -> None:
        self._network, self._plan, self._talk, self._view = network.to(device), plan, talk, view
        self._weigh, self._stopping = weigh, stopping or asked_to_stop
        if plan.channels_last:
            self._network.to(memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._network) if plan.average else None
        self._device = torch.device(device)
        self._optimizer = _optimizer(network, plan)
        self._progress, self._best = Progress(), dict[str, Tensor]()

    def train(self, name: str, division: Division, checkpoint: Path, threads: int) -> Trained:
        """Train, going on from the checkpoint where there is one.

        Ctrl-C ends it between two steps: the checkpoint is written, and KeyboardInterrupt raised.
        """
        mark = mark_of(name, self._plan, division)
        if checkpoint.is_file():
            self._progress, self._best = read_checkpoint(
                checkpoint, mark, self._network, self._optimizer, self._average
            )
            self._talk.print(f"Going on after step {self._progress.step}.")
        shown = Examples(division.learned, self._plan.seed, threads, self._view, self._weigh)
        with shown as examples, self._stopping() as stop:
            watched = examples.fixed(_some(division.watched, self._plan))
            for checked in self._steps(examples, watched, stop):
                if checked or stop:
                    self._keep(checkpoint, mark)
                if stop:
                    raise KeyboardInterrupt
        return Trained(self._best, self._progress)

    def _keep(self, checkpoint: Path, mark: str) -> None:
        write_checkpoint(checkpoint, mark, self._progress, self._network, self._optimizer, self._best, self._average)

    def _steps(self, examples: Examples, watched: Batch, stop: Sized) -> Iterator[bool]:
        """Train to the end; after each step that was followed by a check, True, and False where it is to stop."""
        plan, done = self._plan, self._progress.step
        if self._out_of_patience():
            return
        losses: list[Tensor] = []
        began = time.monotonic() - self._progress.seconds
        with progress_bar(self._talk) as bar:
            task = bar.add_task("Training", total=plan.steps, completed=done)
            for step, batch in enumerate(examples.batches(done, plan.steps, plan.batch), start=done):
                losses.append(self._step(step, batch))
                seconds = time.monotonic() - began if plan.minutes else 0.0
                checked = (step + 1) % plan.check_every == 0 or plan.is_over(step + 1, seconds)
                self._progress = replace(self._progress, step=step + 1, seconds=seconds)
                bar.advance(task)
                if checked:
                    self._check(watched, float(torch.stack(losses).mean()))
                    losses.clear()
                if checked or stop:
                    yield checked
                if self._out_of_patience():
                    return

    def _step(self, step: int, batch: Batch) -> Tensor:
        # Dropout follows from the step too, so that a resumed training is the same training.
        torch.manual_seed(self._plan.seed * 1_000_003 + step)
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.learning_rate_at(step, self._progress.seconds)
        self._network.train()
        logits = self._logits(batch.pixels)
        labels = torch.from_numpy(batch.labels).to(self._device)
        labels = labels * (1 - 2 * self._plan.smoothing) + self._plan.smoothing
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types here
        self._optimizer.step()
        if self._average is not None:
            _move(self._average, self._network, 1 - self._plan.kept_at(step + 1))
        return loss.detach()

    def _logits(self, pixels: Pixels | Differences, network: nn.Module | None = None) -> Tensor:
        images = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            logits: Tensor = (network or self._network)(images)
        return logits.float()

    def _check(self, watched: Batch, loss: float) -> None:
        if not math.isfinite(loss):
            raise DatasetError("The training diverged, its loss is not finite: take a lower --learning-rate.")
        scores = self._scores(watched.pixels)
        auc, step = float(roc_auc_score(watched.labels, scores)), self._progress.step
        check = Check(step, auc, float(balanced_accuracy_score(watched.labels, scores > 0)))
        self._progress = replace(self._progress, checks=(*self._progress.checks, check))
        if auc > self._progress.best_auc:
            self._progress = replace(self._progress, best_auc=auc, best_step=step)
            self._best = {name: value.detach().cpu().clone() for name, value in self._watched.state_dict().items()}
        self._talk.print(f"Step {step}: loss {loss:.3f}, AUC {auc:.3f} on held-out sources", highlight=False)

    def _scores(self, pixels: Pixels | Differences) -> NDArray[np.float32]:
        self._watched.eval()
        with torch.no_grad():
            parts = range(0, len(pixels), self._plan.batch)
            found = [self._logits(pixels[at : at + self._plan.batch], self._watched).detach().cpu() for at in parts]
        scores: NDArray[np.float32] = torch.cat(found).numpy()
        return scores

    @property
    def _watched(self) -> nn.Module:
        """The network that is looked at and kept: the running mean where there is one."""
        return self._network if self._average is None else self._average

    def _out_of_patience(self) -> bool:
        waited = self._progress.step - self._progress.best_step
        return (
            self._plan.is_over(self._progress.step, self._progress.seconds)
            or waited >= self._plan.patience * self._plan.check_every
        )


@torch.no_grad()
def _move(average: nn.Module, network: nn.Module, share: float) -> None:
    """Move the running mean by that share towards the network; what is counted is taken over."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, share)
        else:
            mean.copy_(value)


def _optimizer(network: nn.Module, plan: Plan) -> optim.Optimizer:
    """AdamW; what has one axis (biases, normalisation) does not decay."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in parameters if parameter.ndim > 1]
    plain = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return optim.AdamW(groups, lr=plan.learning_rate)


def _some(rows: Sequence[Row], plan: Plan) -> Sequence[Row]:
    """All rows, or as many as are to be watched, drawn alike from both classes."""
    if len(rows) <= plan.most_watched:
        return rows
    random = np.random.default_rng(plan.seed)
    labels = np.array([row.label for row in rows])
    drawn = [random.permutation(np.flatnonzero(labels == label))[: plan.most_watched // 2] for label in (0, 1)]
    return [rows[place] for place in np.sort(np.concatenate(drawn)).tolist()]


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
