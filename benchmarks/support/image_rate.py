"""One measured run of images: how fast, and at what cost in CPU time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.support.processes import Running
from benchmarks.support.streams.rates import rate, ratios
from benchmarks.support.usage import cpu_seconds


@dataclass(frozen=True, slots=True)
class ImageRate:
    """Images per second in the middle of a run; CPU milliseconds per image of the processes, their start included.

    CPU time is told beside the rate because it suffers less from whatever else runs on the machine.
    """

    rate: float
    cpu_ms: float


def measure(count: Callable[[], int], wanted: int, workers: Sequence[Running]) -> ImageRate:
    """Watch the workers until so many images are done; CPU time counts from now on."""
    before = _cpu(workers)
    found = rate(count, wanted, workers)
    return ImageRate(found, (_cpu(workers) - before) * 1000 / wanted)


def summary(runs: Sequence[ImageRate]) -> dict[str, object]:
    """Medians and each run, for a result file."""
    return {
        "images_per_second": round(median(one.rate for one in runs), 3),
        "cpu_ms_per_image": round(median(one.cpu_ms for one in runs), 2),
        "runs": [{"images_per_second": round(one.rate, 3), "cpu_ms_per_image": round(one.cpu_ms, 2)} for one in runs],
    }


def compared(ours: Sequence[ImageRate], bare: Sequence[ImageRate]) -> dict[str, object]:
    """Ours to theirs: the ratio of the rates, and of what an image costs the other way round."""
    return {
        "images_per_second": ratios([one.rate for one in ours], [one.rate for one in bare]),
        "images_per_cpu_second": ratios([1 / one.cpu_ms for one in ours], [1 / one.cpu_ms for one in bare]),
    }


def _cpu(workers: Sequence[Running]) -> float:
    return sum(cpu_seconds(one.pid) for one in workers)
