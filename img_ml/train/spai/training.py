"""SPAI's part in the shared training loop: its schedule, accumulated and clipped gradients, a checkpoint an epoch."""

import hashlib
import itertools
import json
import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from torch import Tensor, nn

from img_ml.train.examples import Division
from img_ml.train.loop import Loop, Task
from img_ml.train.plan import TrainingPlan
from img_ml.train.spai.checkpoints import CheckpointFolder, EpochProgress, progress_of
from img_ml.train.spai.config import Config, TrainConfig
from img_ml.train.spai.crops import CropBatch, Epochs
from img_ml.train.tracking import tracker

# A checkpoint of another version of the loop is not gone on with.
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Schedule(TrainingPlan):
    """The learning rate: a line up from `first_rate` over the first steps, then a cosine down to `last_rate`."""

    first_rate: float = 0.0
    last_rate: float = 0.0

    def learning_rate_at(self, step: int, seconds: float = 0.0) -> float:
        """See TrainingPlan."""
        rising = self.warmup_steps
        if step < rising:
            return self.first_rate + (self.learning_rate - self.first_rate) * (step + 1) / rising
        fallen = math.pi * (step - rising) / max(1, self.steps - rising)
        return self.last_rate + (self.learning_rate - self.last_rate) * (1 + math.cos(fallen)) / 2


def schedule_of(train: TrainConfig, steps_per_epoch: int, seed: int) -> Schedule:
    """The plan that the settings describe, validated once an epoch."""
    return Schedule(
        steps=train.EPOCHS * steps_per_epoch,
        learning_rate=train.BASE_LR,
        weight_decay=train.WEIGHT_DECAY,
        warmup_steps=round(train.WARMUP_EPOCHS * steps_per_epoch),
        check_every=steps_per_epoch,
        patience=train.EARLY_STOPPING or train.EPOCHS + 1,
        seed=seed,
        betas=train.BETAS,
        first_rate=train.WARMUP_LR,
        last_rate=train.MIN_LR,
    )


def mark_of(name: str, config: Config, division: Division, pretrained: str) -> str:
    """What tells this training from others: all settings that change its outcome, the rows, and what it began with."""
    told = config.model_dump(mode="json", exclude={"TRACKING": True})
    del told["DATA"]["NUM_WORKERS"], told["MODEL"]["FEATURE_EXTRACTION_BATCH"]
    rows = [[str(row.path), row.label, row.source] for part in (division.training, division.validation) for row in part]
    return hashlib.sha256(json.dumps([_VERSION, name, told, rows, pretrained]).encode()).hexdigest()


class SpaiTask(Task[Sequence[CropBatch]]):
    """A step goes over some batches, whose gradients are added up and clipped; `decides` has one name.

    `norm` is the largest norm of the gradients before clipping since the last validation.
    """

    rate_option = "TRAIN.BASE_LR"

    def __init__(self, network: nn.Module, train: TrainConfig, steps_per_epoch: int, device: str) -> None:
        super().__init__(network)
        self._train, self._in_epoch, self._device = train, steps_per_epoch, device
        self.norm = 0.0

    @abstractmethod
    def parts(self, batch: CropBatch) -> Iterable[Tensor]:
        """The parts of one batch's mean loss, each of which is done with before the next."""

    @abstractmethod
    def validation(self) -> Mapping[str, float]:
        """Validation figures of the network."""

    def losses(self, batch: Sequence[CropBatch], step: int) -> Iterator[Tensor]:
        """See Task."""
        images = sum(len(one.labels) for one in batch)
        for one in batch:
            moved = CropBatch(one.crops.to(self._device), one.labels.to(self._device))
            for loss in self.parts(moved):
                yield loss * (len(one.labels) / images)

    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """See Task; with the gradients' norm."""
        norm, self.norm = self.norm, 0.0
        return {"train/gradient_norm": norm, **self.validation()}

    def clip(self) -> None:
        """See Task."""
        training = [parameter for parameter in self.network.parameters() if parameter.grad is not None]
        norm = nn.utils.clip_grad_norm_(training, self._train.CLIP_GRAD or math.inf)
        self.norm = max(self.norm, float(norm))

    def told(self, figures: Mapping[str, float]) -> str:
        """See Task."""
        return ", ".join(f"{name} {figures[name]:.4f}" for name in self.decides)

    def when(self, step: int) -> str:
        """See Task."""
        return f"Epoch {step // self._in_epoch} of {self._train.EPOCHS}"


def steps_per_epoch(epochs: Epochs, train: TrainConfig) -> int:
    """Steps in an epoch."""
    return math.ceil(len(epochs) / train.ACCUMULATION_STEPS)


def run(
    task: SpaiTask,
    config: Config,
    train: TrainConfig,
    epochs: Epochs,
    folder: Path,
    mark: str,
    device: str,
    talk: Console,
    *,
    keep_all: bool,
) -> EpochProgress:
    """Train until the epochs are over or patience is; the best checkpoint stays, and the last, or all of them.

    Raises TrainingError where the loss is not finite or the folder holds another training's checkpoints.
    """
    in_epoch = steps_per_epoch(epochs, train)

    def batches(first: int, last: int) -> Iterator[Sequence[CropBatch]]:
        for epoch in range(first // in_epoch, last // in_epoch):
            drawn = epochs.batches(epoch)
            while chunk := list(itertools.islice(drawn, train.ACCUMULATION_STEPS)):
                yield chunk

    kept = CheckpointFolder(folder, mark, in_epoch, config.model_dump(mode="json"), keep_all=keep_all)
    plan, low = schedule_of(train, in_epoch, config.SEED), config.AMP_OPT_LEVEL != "O0"
    with closing(tracker(config.TRACKING, folder)) as track:
        # Ctrl-C ends it at once: a training goes on from the last whole epoch.
        loop = Loop(task, plan, device, talk, lambda: nullcontext(()), low=low, tracker=track)
        progress = progress_of(loop.run(batches, kept).progress, in_epoch)
    if progress.epoch < train.EPOCHS:
        talk.print(f"Stopped early: no improvement since epoch {progress.best_epoch}.")
    return progress
