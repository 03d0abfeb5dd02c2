"""The training loop of SPAI and of its backbone: accumulated and clipped gradients, early stopping, resuming."""

import hashlib
import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from rich.console import Console
from torch import Tensor, nn, optim

from img_ml.data.dataset import DatasetError
from img_ml.train.examples import Division
from img_ml.train.spai import checkpoints
from img_ml.train.spai.checkpoints import Progress
from img_ml.train.spai.config import Config, TrainConfig
from img_ml.train.spai.crops import Batch, Epochs
from img_ml.train.spai.tracking import tracker


class Task(Protocol):
    """What is trained: a network, the parts of the loss of a batch, and how good the network is."""

    # What `judged` tells under this name decides; more is better.
    decides: str

    @property
    def network(self) -> nn.Module:
        """The network."""
        ...

    def losses(self, batch: Batch) -> Iterable[Tensor]:
        """The parts of the batch's loss, whose sum it is; each is done with before the next."""
        ...

    def judged(self) -> Mapping[str, float]:
        """Figures of the network on what is watched."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate: a line up over the first steps, a cosine down over the rest."""

    train: TrainConfig
    steps_per_epoch: int

    def at(self, step: int) -> float:
        """The learning rate of that step."""
        train = self.train
        rising = round(train.WARMUP_EPOCHS * self.steps_per_epoch)
        if step < rising:
            return train.WARMUP_LR + (train.BASE_LR - train.WARMUP_LR) * (step + 1) / rising
        left = max(1, train.EPOCHS * self.steps_per_epoch - rising)
        return train.MIN_LR + (train.BASE_LR - train.MIN_LR) * (1 + math.cos(math.pi * (step - rising) / left)) / 2


def mark_of(name: str, config: Config, division: Division, pretrained: str) -> str:
    """What tells this training from others: all settings that change its outcome, the rows, and what it began with."""
    told = config.model_dump(mode="json", exclude={"TRACKING": True, "PRINT_FREQ": True, "SAVE_FREQ": True})
    for key in ("NUM_WORKERS", "VAL_BATCH_SIZE", "TEST_BATCH_SIZE"):
        del told["DATA"][key]
    del told["MODEL"]["FEATURE_EXTRACTION_BATCH"]
    rows = [[str(row.path), row.label, row.source] for part in (division.learned, division.watched) for row in part]
    return hashlib.sha256(json.dumps([name, told, rows, pretrained]).encode()).hexdigest()


class Training:
    """One training into one folder; a second call goes on where the first one ended."""

    def __init__(
        self, task: Task, config: Config, train: TrainConfig, folder: Path, mark: str, device: str, talk: Console
    ) -> None:
        self._task, self._config, self._train = task, config, train
        self._folder, self._mark, self._talk = folder, mark, talk
        self._device = torch.device(device)
        self._network = task.network.to(self._device)
        self._optimizer = _optimizer(self._network, train)

    def run(self, epochs: Epochs, *, keep_all: bool) -> Progress:
        """Train until the epochs are over or patience is; the best checkpoint stays, and the last, or all of them.

        Raises DatasetError where the loss is not finite or the folder holds another training's checkpoints.
        """
        progress = self._begin()
        schedule = Schedule(self._train, math.ceil(len(epochs) / self._train.ACCUMULATION_STEPS))
        track = tracker(self._config.TRACKING, self._folder)
        while progress.epoch < self._train.EPOCHS and not progress.stopped(self._train.EARLY_STOPPING):
            figures = self._epoch(progress.epoch, epochs, schedule)
            progress = self._noted(progress, figures)
            track.write(progress.epoch, figures)
            settings = self._config.model_dump(mode="json")
            checkpoints.write(self._folder, self._mark, progress, self._network, self._optimizer, settings)
            if not keep_all:
                checkpoints.keep_only(self._folder, {progress.best_epoch, progress.epoch})
        track.close()
        if progress.epoch < self._train.EPOCHS:
            self._talk.print(f"Stopped early: nothing better since epoch {progress.best_epoch}.")
        return progress

    def _begin(self) -> Progress:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = checkpoints.latest(self._folder)
        if path is None:
            return Progress()
        progress = checkpoints.resume(path, self._mark, self._network, self._optimizer)
        self._talk.print(f"Going on after epoch {progress.epoch}.")
        return progress

    def _epoch(self, epoch: int, epochs: Epochs, schedule: Schedule) -> dict[str, float]:
        # Dropout follows from the epoch, so that a resumed training is the same training.
        torch.manual_seed(self._config.SEED * 1_000_003 + epoch)
        since = time.perf_counter()
        self._network.train()
        losses, norms = [], []
        for number, chunk in enumerate(_chunks(epochs.batches(epoch), self._train.ACCUMULATION_STEPS)):
            for group in self._optimizer.param_groups:
                group["lr"] = schedule.at(epoch * schedule.steps_per_epoch + number)
            loss, norm = self._step(chunk)
            losses.append(loss)
            norms.append(norm)
        trained = time.perf_counter() - since
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean):
            raise DatasetError("The loss is not a number any more: lower TRAIN.BASE_LR.")
        self._network.eval()
        with torch.inference_mode():
            judged = dict(self._task.judged())
        told = {"loss": mean, "gradient_norm": max(norms), "learning_rate": self._optimizer.param_groups[0]["lr"]}
        return {**{f"train/{name}": value for name, value in told.items()}, **judged, "seconds": trained}

    def _step(self, chunk: Sequence[Batch]) -> tuple[float, float]:
        """One step of the optimiser over some batches; their mean loss, and the gradient's norm before clipping."""
        self._optimizer.zero_grad()
        images, total = sum(len(batch.labels) for batch in chunk), 0.0
        low = self._config.AMP_OPT_LEVEL != "O0"
        for batch in chunk:
            moved = Batch(batch.crops.to(self._device), batch.labels.to(self._device))
            share = len(batch.labels) / images
            with torch.autocast(self._device.type, torch.bfloat16, enabled=low):
                for loss in self._task.losses(moved):
                    (loss * share).backward()  # type: ignore[no-untyped-call]  # torch declares no types here
                    total += float(loss.detach()) * share
        learned = [parameter for parameter in self._network.parameters() if parameter.grad is not None]
        norm = nn.utils.clip_grad_norm_(learned, self._train.CLIP_GRAD or math.inf)
        self._optimizer.step()
        return total, float(norm)

    def _noted(self, progress: Progress, figures: Mapping[str, float]) -> Progress:
        epoch, judged = progress.epoch + 1, figures[self._task.decides]
        better = judged > progress.best
        self._talk.print(
            f"Epoch {epoch} of {self._train.EPOCHS}: loss {figures['train/loss']:.4f}, {self._task.decides} "
            f"{judged:.4f}{', the best' if better else ''}; {figures['seconds']:.0f} s."
        )
        return Progress(
            epoch,
            judged if better else progress.best,
            epoch if better else progress.best_epoch,
            (*progress.figures, dict(figures)),
        )


def _chunks(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    while chunk := list(itertools.islice(batches, size)):
        yield chunk


def _optimizer(network: nn.Module, train: TrainConfig) -> optim.Optimizer:
    """AdamW over what learns; biases, norms and the like do not decay."""
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in learned if parameter.ndim > 1], "weight_decay": train.WEIGHT_DECAY},
        {"params": [parameter for parameter in learned if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=train.BASE_LR, betas=train.BETAS)
