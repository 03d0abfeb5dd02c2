"""Heads of `clip_b16`: for each fold of whole sources a logistic regression on tokens, folded into weight and bias."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from img_ml.data.folds import balanced_weights, grouped_folds

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heads:
    """`weight` members x features and `bias`, both on tokens as the tower gives them.

    `member` (n,) is the one that held each row out, `aucs` how the members rank what they held out, `auc` how all
    rows are ranked, each by the member that held it out.
    """

    weight: Floats
    bias: Floats
    member: NDArray[np.intp]
    aucs: tuple[float, ...]
    auc: float


def train_heads(
    tokens: Floats, label: NDArray[np.int64], source: NDArray[np.str_], members: int, strength: float, seed: int
) -> Heads:
    """The heads on class and mean patch token of the last block, of tokens n x blocks x 2 x width.

    `strength` is the inverse of the penalty. Earlier blocks beside the last gave nothing on held-out sources.

    Raises DatasetError where the sources do not suffice.
    """
    flat = tokens[:, -1].reshape(len(tokens), -1).astype(np.float64)
    weights, biases, aucs = [], [], []
    member, margin = np.empty(len(flat), dtype=np.intp), np.empty(len(flat))
    for place, (training, held_out) in enumerate(grouped_folds(label, source, seed, members)):
        weight, bias = _fitted(flat[training], label[training], source[training], strength)
        weights.append(weight)
        biases.append(bias)
        member[held_out], margin[held_out] = place, flat[held_out] @ weight + bias
        aucs.append(float(roc_auc_score(label[held_out], margin[held_out])))
    return Heads(
        np.array(weights, dtype=np.float32),
        np.array(biases, dtype=np.float32),
        member,
        tuple(aucs),
        float(roc_auc_score(label, margin)),
    )


def _fitted(
    values: NDArray[np.float64], label: NDArray[np.int64], source: NDArray[np.str_], strength: float
) -> tuple[NDArray[np.float64], float]:
    middle, spread = values.mean(axis=0), values.std(axis=0) + 1e-6
    regression = LogisticRegression(C=strength, max_iter=1000)
    regression.fit((values - middle) / spread, label, sample_weight=balanced_weights(label, source))
    weight = regression.coef_[0] / spread
    return weight, float(regression.intercept_[0] - middle @ weight)
