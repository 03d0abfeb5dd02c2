"""How fast results come: the middle of a run, where nothing starts up and nothing runs dry."""

import itertools
import time
from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.support.processes import BenchmarkError, Running

_POLL_S = 0.01
FIRST, LAST = 0.1, 0.9
_STALLED_S = 60.0


def rate(count: Callable[[], int], wanted: int, workers: Sequence[Running]) -> float:
    """Results per second between the first and the last tenth of `wanted`; `count` says how many there are.

    Times between two looks are interpolated. BenchmarkError where a worker ends or nothing comes for a minute.
    """
    looks = _looks(count, wanted, workers)
    return wanted * (LAST - FIRST) / (_when(looks, wanted * LAST) - _when(looks, wanted * FIRST))


def _looks(count: Callable[[], int], wanted: int, workers: Sequence[Running]) -> list[tuple[float, int]]:
    looks = [(time.perf_counter(), count())]
    moved = time.perf_counter()
    while looks[-1][1] < wanted:
        time.sleep(_POLL_S)
        now, found = time.perf_counter(), count()
        if found > looks[-1][1]:
            moved = now
        elif now - moved > _STALLED_S:
            raise BenchmarkError(f"No result for {_STALLED_S:g} s; {found} of {wanted} are there.")
        for worker in workers:
            worker.check()
        looks.append((now, found))
    return looks


def _when(looks: Sequence[tuple[float, int]], level: float) -> float:
    """When the count reached the level."""
    for (before, low), (after, high) in itertools.pairwise(looks):
        if low < level <= high:
            return before + (after - before) * (level - low) / (high - low)
    raise BenchmarkError("Results came before anybody looked.")


def ratios(rates: Sequence[float], to: Sequence[float]) -> dict[str, float]:
    """The median, least and largest of the ratios of runs that stood side by side."""
    found = [one / other for one, other in zip(rates, to, strict=True)]
    return {"median": round(median(found), 3), "min": round(min(found), 3), "max": round(max(found), 3)}
