"""Folds and weights: what keeps a source on one side of every cut, and what keeps a large one from shouting."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from forensics.errors import DatasetError

FOLDS = 5
Rows = NDArray[np.intp]
Labels = NDArray[np.int64]
Sources = NDArray[np.str_]


def grouped_folds(label: Labels, source: Sources, seed: int, count: int = FOLDS) -> list[tuple[Rows, Rows]]:
    """`count` pairs of (learned, held out) row indices; no source is on both sides.

    Raises DatasetError where there are too few sources, or a fold would learn from one class only.
    """
    sources = len(np.unique(source))
    if sources < count:
        raise DatasetError(f"Cross-validation needs at least {count} sources outside test; the dataset has {sources}.")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = list(splitter.split(label, label, source))
    if any(len(np.unique(label[learned])) < 2 for learned, _ in folds):
        raise DatasetError("A fold is left with one class only: add sources of the rarer class.")
    return folds


def validation_rows(label: Labels, source: Sources, split: Sources, seed: int) -> NDArray[np.bool_]:
    """Which rows early stopping watches: the val split, or where that lacks a class a fifth of the sources.

    All False where neither gives both classes on both sides.
    """
    validation = split == "val"
    if _both_classes(label, validation):
        return np.asarray(validation)
    if len(np.unique(source)) >= FOLDS:
        _, held_out = next(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(label, label, source))
        part = np.zeros(len(label), dtype=bool)
        part[held_out] = True
        if _both_classes(label, part):
            return part
    return np.zeros(len(label), dtype=bool)


def best_round(curves: Sequence[NDArray[np.float64]]) -> int | None:
    """The round at which the mean of the curves, one for each fold, is highest; None without curves."""
    return int(np.mean(curves, axis=0).argmax()) + 1 if curves else None


def _both_classes(label: Labels, part: NDArray[np.bool_]) -> bool:
    return len(np.unique(label[part])) == 2 and len(np.unique(label[~part])) == 2


def balanced_weights(label: Labels, source: Sources) -> NDArray[np.float64]:
    """Row weights of mean 1: both classes weigh alike, and inside one a source weighs as the root of its size."""
    weight = np.empty(len(label))
    for value in (0, 1):
        inside = label == value
        _, place, count = np.unique(source[inside], return_inverse=True, return_counts=True)
        share = 1 / np.sqrt(count[place])
        weight[inside] = share / share.sum()
    return weight * len(label) / 2


def skip_detectors(values: NDArray[np.float64], detectors: list[str], share: float, seed: int) -> NDArray[np.float64]:
    """The values with detectors struck out at random, so that a model learns to do without any of them.

    `detectors` names the detector of each column; in each row each of them is NaN with the probability `share`, but
    never all.
    """
    random = np.random.default_rng(seed)
    names = sorted(set(detectors))
    struck = random.random((len(values), len(names))) < share
    struck[struck.all(axis=1)] = False
    columns = np.array([names.index(name) for name in detectors])
    return np.where(struck[:, columns], np.nan, values)
