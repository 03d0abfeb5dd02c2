"""A network that learns which images are AI, validated on images of held-out sources."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from forensics.types import Pixels
from img_ml.data.dataset import Row
from img_ml.data.high_frequencies import Differences
from img_ml.train.checkpoint import Checkpoint
from img_ml.train.examples import NATIVE_CROPS, Batch, Division, Examples, View, Weigh, by_source, to_images
from img_ml.train.loop import Loop, Stopping, Task, Trained
from img_ml.train.plan import TrainingPlan


def mark_of(name: str, plan: TrainingPlan, division: Division) -> str:
    """What tells this training from others: the network, the plan and the rows."""
    rows = [
        [str(row.path), row.label, row.source, side]
        for side in ("training", "validation")
        for row in getattr(division, side)
    ]
    return hashlib.sha256(json.dumps([name, asdict(plan), rows]).encode()).hexdigest()


class Classifying(Task[Batch]):
    """Images n x 3 x H x W in grey levels to logits (n,)."""

    decides = ("auc",)

    def __init__(self, network: nn.Module, validation: Batch, plan: TrainingPlan, device: str) -> None:
        super().__init__(network)
        self._shown, self._plan, self._device = validation, plan, torch.device(device)

    def losses(self, batch: Batch, step: int) -> Iterator[Tensor]:
        """Binary cross-entropy, the labels drawn that much from either side towards the middle."""
        labels = torch.from_numpy(batch.labels).to(self._device)
        labels = labels * (1 - 2 * self._plan.smoothing) + self._plan.smoothing
        yield functional.binary_cross_entropy_with_logits(self._logits(self.network, batch.pixels), labels)

    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """The AUC, and the accuracy at a logit of 0 as the mean over both classes."""
        shown, size = self._shown, self._plan.batch
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            parts = range(0, len(shown.pixels), size)
            found = [self._logits(network, shown.pixels[at : at + size]).cpu() for at in parts]
        scores = torch.cat(found).numpy()
        accuracy = balanced_accuracy_score(shown.labels, scores > 0)
        return {"auc": float(roc_auc_score(shown.labels, scores)), "accuracy": float(accuracy)}

    def told(self, figures: Mapping[str, float]) -> str:
        """See Task."""
        return f"AUC {figures['auc']:.3f} on held-out sources"

    def _logits(self, network: nn.Module, pixels: Pixels | Differences) -> Tensor:
        logits: Tensor = network(to_images(pixels, self._device))
        return logits.float()


def train_classifier(
    network: nn.Module,
    plan: TrainingPlan,
    device: str,
    talk: Console,
    name: str,
    division: Division,
    checkpoint: Path,
    threads: int,
    view: View = NATIVE_CROPS,
    weigh: Weigh = by_source,
    stopping: Stopping | None = None,
) -> Trained:
    """Train on the division's images, as `view` shows them and as often as `weigh` says; see Loop.run.

    `name` tells trainings apart, with plan and images.
    """
    with Examples(division.training, plan.seed, threads, view, weigh) as examples:
        task = Classifying(network, examples.fixed(_some(division.validation, plan)), plan, device)
        loop = Loop(task, plan, device, talk, stopping)
        kept = Checkpoint(checkpoint, mark_of(name, plan, division))
        return loop.run(lambda first, last: examples.batches(first, last, plan.batch), kept)


def _some(rows: Sequence[Row], plan: TrainingPlan) -> Sequence[Row]:
    """All rows, or as many as validation takes, drawn alike from both classes."""
    if len(rows) <= plan.max_validation:
        return rows
    random = np.random.default_rng(plan.seed)
    labels = np.array([row.label for row in rows])
    drawn = [random.permutation(np.flatnonzero(labels == label))[: plan.max_validation // 2] for label in (0, 1)]
    return [rows[place] for place in np.sort(np.concatenate(drawn)).tolist()]
