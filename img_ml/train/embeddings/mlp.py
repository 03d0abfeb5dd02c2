"""Training of the small network over embeddings: AdamW, binary cross-entropy or focal loss, early stopping."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor, optim
from torch.nn import functional

from img_ml.data.dataset import DatasetError
from img_ml.data.folds import balanced_weights
from img_ml.networks.embedding_mlp import DROPOUT, HIDDEN, EmbeddingMlp
from img_ml.train.embeddings.folder import Embeddings

Loss = Literal["bce", "focal"]
_SCORED_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class MlpPlan:
    """How to train: at most `epochs`, ended after `patience` of them without a better AUC on what is watched."""

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
    """The best state, on the CPU; after which epoch that was, and its AUC and loss on what was watched."""

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
        raise DatasetError("Training needs images of both labels outside of test, and enough sources to watch some.")
    return usable.where(~aside), usable.where(aside)


def train_mlp(
    learned: Embeddings, watched: Embeddings, plan: MlpPlan, device: str, tell: Callable[[str], None]
) -> TrainedMlp:
    """Train on `learned`, and keep the state whose AUC on `watched` is the highest, its loss the lowest among those."""
    torch.manual_seed(plan.seed)
    network = EmbeddingMlp(learned.values.shape[1], plan.hidden, plan.dropout).to(device)
    optimizer = optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    best: TrainedMlp | None = None
    for epoch in range(1, plan.epochs + 1):
        _epoch(network, optimizer, learned, plan, epoch)
        logits = logits_of(network, watched.values)
        auc = float(roc_auc_score(watched.labels, logits.numpy()))
        loss = float(loss_of(logits, torch.from_numpy(watched.labels).float(), plan).mean())
        if not np.isfinite(loss):
            raise DatasetError("The training diverged, its loss is not finite: take a lower --lr.")
        tell(f"Epoch {epoch}: loss {loss:.4f}, AUC {auc:.4f} on what is watched")
        if best is None or (auc, -loss) > (best.auc, -best.loss):
            state = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
            best = TrainedMlp(state, epoch, auc, loss)
        if epoch - best.epoch >= plan.patience:
            break
    assert best is not None
    return best


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


def _epoch(network: EmbeddingMlp, optimizer: optim.Optimizer, learned: Embeddings, plan: MlpPlan, epoch: int) -> None:
    """Every row once, in a random order; classes weigh alike, and inside one a source as the root of its size."""
    device = next(network.parameters()).device
    values, labels = torch.from_numpy(learned.values), torch.from_numpy(learned.labels).float()
    weights = torch.from_numpy(balanced_weights(learned.labels, learned.sources)).float()
    order = torch.from_numpy(np.random.default_rng([plan.seed, epoch]).permutation(len(labels)))
    network.train()
    for rows in torch.split(order, plan.batch):
        # Of one row batch normalisation knows no spread.
        if len(rows) < 2:
            continue
        losses = loss_of(network(values[rows].to(device)), labels[rows].to(device), plan)
        loss = (losses * weights[rows].to(device)).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types here
        optimizer.step()


def _both(labels: NDArray[np.int64], part: NDArray[np.bool_]) -> bool:
    return len(np.unique(labels[part])) == 2 and len(np.unique(labels[~part])) == 2
