"""Logistic regression over standard scores: the plainest fusion there is, and the yardstick for the others."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from forensics.documents import json_of
from fusion.weighers.scaled import Scaling, by_feature, fit_scaling
from fusion.weighers.weigher import Candidate, Rows, Weigher, WeigherKind

FIXED: dict[str, Any] = {"max_iter": 2000}
# How the names of probabilities end, and the surest that one counts as.
_PROBABILITY, _SUREST = "_prob", 1e-4


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted regression over the inputs of its scaling: `coefficients` (2 f,) and `intercept`.

    `odds` (f,) tells which features are probabilities: they are weighed by their log-odds.
    """

    odds: NDArray[np.bool_] = field(repr=False)
    scaling: Scaling
    coefficients: NDArray[np.float64] = field(repr=False)
    intercept: float

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher."""
        return np.asarray(self.contributions(values).sum(axis=1))

    def contributions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """See Weigher; exact, for the model is a sum."""
        shares = by_feature(self.scaling.inputs(_prepared(values, self.odds)) * self.coefficients)
        base = np.full((len(values), 1), self.intercept)
        return np.concatenate([shares, base], axis=1)

    def save(self, path: Path) -> None:
        """See Weigher; plain numbers, which every release of every library reads alike."""
        scaling = {name: value.tolist() for name, value in asdict(self.scaling).items()}
        content = {
            "odds": self.odds.tolist(),
            "scaling": scaling,
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _prepared(values: NDArray[np.float64], odds: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(odds, logit(np.clip(values, _SUREST, 1 - _SUREST)), values)


def train(rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None) -> Weigher:
    """See Train; the loss is convex, so there are no rounds to count."""
    odds = np.array([name.endswith(_PROBABILITY) for name in names], dtype=bool)
    values = _prepared(rows.values, odds)
    scaling = fit_scaling(values)
    regression = LogisticRegression(**FIXED, **candidate, random_state=seed)
    regression.fit(scaling.inputs(values), rows.label, sample_weight=rows.weight)
    return Logistic(odds, scaling, regression.coef_[0], float(regression.intercept_[0]))


def load(data: bytes) -> Weigher:
    """The model in verified JSON bytes; ValueError where they are none."""
    try:
        content = json_of(data)
        parts = {name: np.array(content["scaling"][name], dtype=np.float64) for name in ("mean", "spread", "gaps")}
        coefficients = np.array(content["coefficients"], dtype=np.float64)
        odds = np.array(content["odds"], dtype=bool)
        found = Logistic(odds, Scaling(**parts), coefficients, float(content["intercept"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is not a logistic regression: {error}") from error
    if any(value.shape != odds.shape for value in parts.values()) or coefficients.shape != (2 * len(odds),):
        raise ValueError("the parts of the logistic regression do not fit together")
    return found


KIND = WeigherKind(
    name="logistic",
    title="Logistic regression",
    file="fusion.logistic.json",
    candidates=tuple({"C": strength} for strength in (0.0003, 0.003, 0.03, 0.3)),
    fixed=FIXED,
    train=train,
    curve=None,
    load=load,
)
