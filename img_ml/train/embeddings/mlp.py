"""Training of the small network over embeddings: AdamW, binary cross-entropy or focal loss, early stopping."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, nn
from torch.nn import functional

from img_ml.data.dataset import DatasetError
from img_ml.data.folds import balanced_weights
from img_ml.networks.embedding_mlp import DROPOUT, HIDDEN, EmbeddingMlp
from img_ml.train.embeddings.folder import Embeddings
from img_ml.train.loop import Loop, Task
from img_ml.train.plan import TrainingPlan

Loss = Literal["bce", "focal"]
_SCORED_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class MlpPlan:
    """How to train: at most `epochs`, ended after `patience` of them without a better validation AUC."""

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    dropout: float = DROPOUT
    hidden: tuple[int, ...] = HIDDEN
    loss: Loss = "bce"
    focal_gamma: float = 2.0
    patience: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainedMlp:
    """The best state, on the CPU; after which epoch that was, and its validation AUC and loss."""

    state: dict[str, Tensor]
    epoch: int
    auc: float
    loss: float


def divide(embeddings: Embeddings, share: float, seed: int) -> tuple[Embeddings, Embeddings]:
    """What is learned from and what early stopping watches; the test split is neither.

    That is the val split where it holds both classes, else about that share of the sources. Raises DatasetError where
    both classes cannot be on both sides.
    """
    usable = embeddings.where(embeddings.splits != "test")
    aside = usable.splits == "val"
    if not _both(usable.labels, aside):
        folds = min(round(1 / share), *(len(np.unique(usable.sources[usable.labels == label])) for label in (0, 1)))
        aside = np.zeros(len(usable.labels), dtype=bool)
        if folds >= 2:
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            aside[next(splitter.split(usable.labels, usable.labels, usable.sources))[1]] = True
    if not _both(usable.labels, aside):
        raise DatasetError(
            "Training needs images of both labels outside of test, and enough sources to hold some out for validation."
        )
    return usable.where(~aside), usable.where(aside)


def train_mlp(training: Embeddings, validation: Embeddings, plan: MlpPlan, device: str, talk: Console) -> TrainedMlp:
    """Train, and keep the state of the highest AUC on `validation`, of the lowest loss among those."""
    torch.manual_seed(plan.seed)
    network = EmbeddingMlp(training.values.shape[1], plan.hidden, plan.dropout)
    task = _Classifying(network, training, validation, plan, device)
    trained = Loop(task, task.steps, device, talk, lambda: nullcontext(()), low=False).run(task.batches)
    best = next(check for check in trained.progress.checks if check["step"] == trained.progress.best_step)
    return TrainedMlp(trained.state, trained.progress.best_step // task.in_epoch, best["auc"], -best["negative_loss"])


@dataclass(frozen=True, slots=True)
class _Steps(TrainingPlan):
    """Steps of one learning rate."""

    def learning_rate_at(self, step: int, seconds: float = 0.0) -> float:
        """See TrainingPlan."""
        return self.learning_rate


class _Classifying(Task[Tensor]):
    """Embeddings to logits. A batch are row numbers; in each epoch every row comes once, in a random order.

    Classes weigh alike, and inside one a source as the root of its size.
    """

    decides = ("auc", "negative_loss")
    rate_option = "--lr"

    def __init__(
        self, network: EmbeddingMlp, training: Embeddings, validation: Embeddings, plan: MlpPlan, device: str
    ) -> None:
        super().__init__(network)
        self._mlp, self._plan, self._device, self._shown = network, plan, device, validation
        self._values, self._labels = torch.from_numpy(training.values), torch.from_numpy(training.labels).float()
        self._weights = torch.from_numpy(balanced_weights(training.labels, training.sources)).float()
        # Of one row batch normalisation knows no spread, so a rest of one is left out.
        self.in_epoch = max(1, (len(self._labels) + plan.batch - 2) // plan.batch)
        self.steps = _Steps(
            steps=plan.epochs * self.in_epoch,
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
            check_every=self.in_epoch,
            patience=plan.patience,
            seed=plan.seed,
        )

    def batches(self, first: int, last: int) -> Iterator[Tensor]:
        """The row numbers of the steps."""
        for step in range(first, last):
            epoch, place = divmod(step, self.in_epoch)
            order = np.random.default_rng([self._plan.seed, epoch + 1]).permutation(len(self._labels))
            yield torch.from_numpy(order[place * self._plan.batch : (place + 1) * self._plan.batch])

    def losses(self, batch: Tensor, step: int) -> Iterator[Tensor]:
        """See Task."""
        logits = self._mlp(self._values[batch].to(self._device))
        losses = loss_of(logits, self._labels[batch].to(self._device), self._plan)
        yield (losses * self._weights[batch].to(self._device)).mean()

    def judged(self, network: nn.Module) -> Mapping[str, float]:
        """The AUC and the loss, its sign turned, of the validation embeddings."""
        logits = logits_of(self._mlp, self._shown.values)
        loss = float(loss_of(logits, torch.from_numpy(self._shown.labels).float(), self._plan).mean())
        return {"auc": float(roc_auc_score(self._shown.labels, logits.numpy())), "negative_loss": -loss}

    def told(self, figures: Mapping[str, float]) -> str:
        """See Task."""
        return f"validation loss {-figures['negative_loss']:.4f}, AUC {figures['auc']:.4f}"

    def when(self, step: int) -> str:
        """See Task."""
        return f"Epoch {step // self.in_epoch}"


def loss_of(logits: Tensor, labels: Tensor, plan: MlpPlan) -> Tensor:
    """The loss of each row (n,). Focal: what is right already counts less, by (1 - p of the label) ** gamma."""
    loss = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    if plan.loss == "bce":
        return loss
    # exp(-cross-entropy) is the probability of the label.
    return (1 - torch.exp(-loss)) ** plan.focal_gamma * loss


@torch.inference_mode()
def logits_of(network: EmbeddingMlp, values: NDArray[np.float32]) -> Tensor:
    """The logits (n,) on the CPU, float32."""
    network.eval()
    device = next(network.parameters()).device
    parts = torch.split(torch.from_numpy(values), _SCORED_AT_ONCE)
    return torch.cat([network(part.to(device)).float().cpu() for part in parts])


def _both(labels: NDArray[np.int64], part: NDArray[np.bool_]) -> bool:
    return len(np.unique(labels[part])) == 2 and len(np.unique(labels[~part])) == 2
