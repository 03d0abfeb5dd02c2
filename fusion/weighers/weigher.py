"""What every kind of fusion model can do: train with early stopping, weigh, explain its weights, go to disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["xgboost", "logistic", "mlp"]
Candidate = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows: `values` (n, f) with NaN, `label` (n,) 0 or 1, `weight` (n,)."""

    values: NDArray[np.float64]
    label: NDArray[np.int64]
    weight: NDArray[np.float64]


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
    """Trains one candidate; `watch` are rows it does not learn from but may stop early by, None where there are none.

    Returns the model and its best round (0 where a kind has none); `rounds` asks for so many without watching.
    """

    def __call__(
        self,
        rows: Rows,
        names: tuple[str, ...],
        candidate: Candidate,
        seed: int,
        watch: Rows | None = None,
        rounds: int | None = None,
    ) -> tuple[Weigher, int]:
        """The trained model."""
        ...


@dataclass(frozen=True, slots=True)
class WeigherKind:
    """One kind: its model file's name, what it trains by, and what may be chosen among.

    `in_rounds` says that training goes in rounds, which early stopping counts. `load`
    reads bytes that were verified before; `pickled` says that they hold a pickle, which runs code when it is read.
    """

    name: Kind
    title: str
    file: str
    pickled: bool
    in_rounds: bool
    candidates: tuple[Candidate, ...]
    fixed: Mapping[str, Any]
    train: Train
    load: Callable[[bytes], Weigher]
