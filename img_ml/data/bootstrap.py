"""Bootstrap intervals of measures: whole groups of rows, such as sources, are drawn with replacement."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BOOTSTRAPS = 1000
LEVEL = 0.95

# Of how often each row counts: 1 each for the measure itself, how often it was drawn for its interval.
Measure = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % bootstrap interval; NaN where no resample could be measured, or where all rests on one group."""

    low: float
    high: float


def intervals(measures: Mapping[str, Measure], group: NDArray[np.intp], seed: int) -> dict[str, Interval]:
    """The interval of each measure, all from the same resamples; `group` (n,) numbers the rows' groups from 0."""
    count = int(group.max()) + 1
    random = np.random.default_rng(seed)
    draws, drawn = np.empty((BOOTSTRAPS, len(measures))), np.empty((BOOTSTRAPS, count), dtype=np.bool_)
    for draw, there in zip(draws, drawn, strict=True):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        there[:] = times > 0
        weight = times[group].astype(np.float64)
        draw[:] = [measure(weight) for measure in measures.values()]
    return {name: _interval(column, drawn) for name, column in zip(measures, draws.T, strict=True)}


def _interval(draws: NDArray[np.float64], drawn: NDArray[np.bool_]) -> Interval:
    """The middle LEVEL of a measure's draws; `drawn` (draws, groups) says which groups each resample holds."""
    known = ~np.isnan(draws)
    # Known exactly where one group is there: it rests on that group alone, and no interval can come of it.
    if not known.any() or bool((drawn == known[:, None]).all(axis=0).any()):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(draws[known], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
