"""Logistic regression over standard scores: the plainest fusion there is, and the yardstick for the others."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from fusion.weighers.pickled import unpickled
from fusion.weighers.scaled import Scaling, by_feature, fit_scaling
from fusion.weighers.weigher import Candidate, Rows, Weigher, WeigherKind

FIXED: dict[str, Any] = {"max_iter": 2000}


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted regression and its scaling."""

    scaling: Scaling
    regression: LogisticRegression = field(repr=False)

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher."""
        return np.asarray(self.contributions(values).sum(axis=1))

    def contributions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher; exact, for the model is a sum."""
        shares = by_feature(self.scaling.inputs(values) * self.regression.coef_[0])
        base = np.full((len(values), 1), self.regression.intercept_[0])
        return np.concatenate([shares, base], axis=1)

    def save(self, path: Path) -> None:
        """See Weigher."""
        joblib.dump(self, path)


def train(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None) -> Weigher:
    """See Train; the loss is convex, so there are no rounds to count."""
    scaling = fit_scaling(rows.values)
    regression = LogisticRegression(**FIXED, **candidate, random_state=seed)
    regression.fit(scaling.inputs(rows.values), rows.label, sample_weight=rows.weight)
    return Logistic(scaling, regression)


def load(data: bytes) -> Weigher:
    """The model in verified joblib bytes; ValueError where they are none."""
    return unpickled(data, Logistic)


KIND = WeigherKind(
    name="logistic",
    title="Logistic regression",
    file="fusion.joblib",
    candidates=tuple({"C": strength} for strength in (0.0003, 0.003, 0.03, 0.3)),
    fixed=FIXED,
    train=train,
    curve=None,
    load=load,
)
