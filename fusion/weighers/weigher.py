"""What every kind of fusion model can do: train in rounds, weigh, explain its weights, go to disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["xgboost", "logistic", "mlp", "stack"]
Candidate = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows: `values` (n, f) with NaN, `label` (n,) 0 or 1, `weight` (n,), and the `source` of each (n,).

    Without sources every row is one of its own.
    """

    values: NDArray[np.float64]
    label: NDArray[np.int64]
    weight: NDArray[np.float64]
    source: NDArray[np.str_] | None = None

    @property
    def sources(self) -> NDArray[np.str_]:
        """What a fold must not divide."""
        return np.arange(len(self.label)).astype(str) if self.source is None else self.source

    def where(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Rows":
        """Some of the rows."""
        source = None if self.source is None else self.source[rows]
        return Rows(self.values[rows], self.label[rows], self.weight[rows], source)


class Weigher(Protocol):
    """A trained model over f features; a margin is an uncalibrated log-odds of AI."""

    def margin(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The margins (n,) of vectors (n, f), NaN where not measured."""
        ...

    def contributions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each feature's share of the margin, and the base in the last column: (n, f + 1), rows add up to margins."""
        ...

    def save(self, path: Path) -> None:
        """Write the model file."""
        ...


class Train(Protocol):
    """Trains one candidate for so many rounds; for the most the kind allows, or all it needs, where None."""

    def __call__(
        self, rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, rounds: int | None = None
    ) -> Weigher:
        """The trained model."""
        ...


class Curve(Protocol):
    """Trains one candidate for the most rounds, watching rows that it does not learn from."""

    def __call__(
        self, rows: Rows, names: tuple[str, ...], candidate: Candidate, seed: int, watch: Rows
    ) -> NDArray[np.float64]:
        """The AUC of the watched rows after each round."""
        ...


@dataclass(frozen=True, slots=True)
class WeigherKind:
    """One kind: its model file's name, what it trains by, and what may be chosen among.

    `curve` is what early stopping goes by, None for a kind that is not trained in rounds. `load` reads bytes that were
    verified before, for a joblib runs code when it is read.
    """

    name: Kind
    title: str
    file: str
    candidates: tuple[Candidate, ...]
    fixed: Mapping[str, Any]
    train: Train
    curve: Curve | None
    load: Callable[[bytes], Weigher]
