"""A stack: a logistic regression over what trees, a regression and a network say of rows they did not learn from.

Wolpert, Stacked Generalization, 1992. The weights of the three come from out-of-fold margins, folds grouped by source:
what each says of its own training rows would flatter the one that remembers most.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from forensics.documents import json_of
from fusion.weighers import logistic, network, trees
from fusion.weighers.weigher import Candidate, Rows, Weigher, WeigherKind
from img_ml.data.folds import best_round, grouped_folds, validation_rows

# The kinds below the stack, and the candidate of each that is taken: chosen beforehand, or every one would be trained
# in every fold of every fold.
BASES: tuple[tuple[WeigherKind, Candidate], ...] = (
    (trees.KIND, trees.KIND.candidates[0]),
    (logistic.KIND, logistic.KIND.candidates[2]),
    (network.KIND, network.KIND.candidates[1]),
)
FIXED: dict[str, Any] = {"C": 1.0, "max_iter": 2000}
_WEIGHTS = "stack.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stack:
    """Trained bases, the weight of each one's margin (never negative), and what is added."""

    bases: tuple[Weigher, ...]
    weights: Floats = field(repr=False)
    intercept: float

    def margin(self, values: Floats) -> Floats:
        """See Weigher."""
        margins = np.stack([base.margin(values) for base in self.bases], axis=1)
        return np.asarray(margins @ self.weights + self.intercept)

    def contributions(self, values: Floats) -> Floats:
        """See Weigher; the bases' own, weighed as their margins are."""
        shares = sum(weight * base.contributions(values) for weight, base in zip(self.weights, self.bases, strict=True))
        found = np.asarray(shares)
        found[:, -1] += self.intercept
        return found

    def save(self, path: Path) -> None:
        """See Weigher; each base in its own file of a zip."""
        with zipfile.ZipFile(path, "w") as archive:
            told = {"weights": self.weights.tolist(), "intercept": self.intercept}
            archive.writestr(zipfile.ZipInfo(_WEIGHTS), json.dumps(told))
            for (kind, _), base in zip(BASES, self.bases, strict=True):
                scratch = path.with_name(f".{path.name}.{kind.name}")
                try:
                    base.save(scratch)
                    archive.writestr(zipfile.ZipInfo(kind.file), scratch.read_bytes())
                finally:
                    scratch.unlink(missing_ok=True)


def train(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None) -> Weigher:
    """See Train; `rounds`, where given, are those of the bases that have rounds.

    Raises DatasetError where there are too few sources for folds.
    """
    chosen = [_rounds(kind, rows, names, base, seed) if rounds is None else rounds for kind, base in BASES]
    margins = out_of_fold(rows, names, seed, chosen)
    weights, intercept = _fitted(margins, rows)
    trained = tuple(
        kind.train(rows, names, base, seed, count) for (kind, base), count in zip(BASES, chosen, strict=True)
    )
    return Stack(trained, weights, intercept)


def out_of_fold(rows: Rows, names: tuple[str, ...], seed: int, rounds: Sequence[int | None]) -> Floats:
    """What each base says of every row (n, bases), trained without any row of its source."""
    margins = np.empty((len(rows.label), len(BASES)))
    for learned, held_out in grouped_folds(rows.label, rows.sources, seed):
        part = rows.where(learned)
        for place, ((kind, base), count) in enumerate(zip(BASES, rounds, strict=True)):
            margins[held_out, place] = kind.train(part, names, base, seed, count).margin(rows.values[held_out])
    return margins


def _rounds(kind: WeigherKind, rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int) -> int | None:
    """The best rounds on a fifth of the sources, which the others are trained without; None for a kind without any."""
    if kind.curve is None:
        return None
    watched = validation_rows(rows.label, rows.sources, np.full(len(rows.label), "train"), seed)
    if not watched.any():
        return None
    return best_round([kind.curve(rows.where(~watched), names, candidate, seed, rows.where(watched))])


def _fitted(margins: Floats, rows: Rows) -> tuple[Floats, float]:
    """The weights and the intercept; a base whose weight would be negative gets none, for it only repeats another."""
    spread = np.maximum(margins.std(axis=0), 1e-9)
    kept = np.ones(margins.shape[1], dtype=bool)
    while True:
        regression = LogisticRegression(**FIXED)
        regression.fit(margins[:, kept] / spread[kept], rows.label, sample_weight=rows.weight)
        found = regression.coef_[0]
        if (found >= 0).all() or kept.sum() == 1:
            break
        kept[np.flatnonzero(kept)[found.argmin()]] = False
    weights = np.zeros(margins.shape[1])
    weights[kept] = np.maximum(found, 0) / spread[kept]
    return weights, float(regression.intercept_[0])


def load(data: bytes) -> Weigher:
    """The stack in verified bytes of a zip; ValueError where they are none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            told = json_of(archive.read(_WEIGHTS))
            bases = tuple(kind.load(archive.read(kind.file)) for kind, _ in BASES)
        weights = np.array(told["weights"], dtype=np.float64)
        intercept = float(told["intercept"])
    except (zipfile.BadZipFile, KeyError, TypeError) as error:
        raise ValueError(f"it is not a stack: {error}") from error
    if weights.shape != (len(BASES),):
        raise ValueError("the parts of the stack do not fit together")
    return Stack(bases, weights, intercept)


KIND = WeigherKind(
    name="stack",
    title="A stack of trees, a logistic regression and a network",
    file="fusion.stack.zip",
    candidates=({},),
    fixed=FIXED,
    train=train,
    curve=None,
    load=load,
)
