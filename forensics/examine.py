"""Run the analyzers over one image; a failing analyzer is skipped with its reason, never guessed."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from forensics.judgeable import not_judged
from forensics.registry import Registered, discover, entries
from forensics.types import Evidence, ImageSample, Signal, Skipped

discover("forensics.analyzers")


@dataclass(frozen=True, slots=True)
class Examined:
    """One image after the analyzers; `sample` stays only where a learned detector still needs the pixels."""

    evidence: Evidence
    sample: ImageSample | None = None


def analyzers() -> tuple[Registered, ...]:
    """Every registered analyzer, ordered by name."""
    return tuple(e for e in entries() if e.analyze is not None)


def examine(sample: ImageSample, names: Iterable[str] | None = None) -> Evidence:
    """The signals of the named analyzers (all when None) about one sample, in registry order."""
    wanted = None if names is None else set(names)
    signals: list[Signal] = []
    timings: dict[str, float] = {}
    for entry in analyzers():
        if wanted is not None and entry.spec.name not in wanted:
            continue
        started = time.perf_counter()
        signals.append(run_analyzer(entry, sample))
        timings[entry.spec.name] = (time.perf_counter() - started) * 1000
    return Evidence(
        sample.sha256,
        sample.media_type,
        sample.width,
        sample.height,
        tuple(signals),
        timings,
        not_judged(sample.pixels),
        sample.reading,
    )


def run_analyzer(entry: Registered, sample: ImageSample) -> Signal:
    """One analyzer's signal, checked against its own declaration; an exception becomes Skipped."""
    assert entry.analyze is not None
    try:
        signal = entry.analyze(sample)
    except Exception as error:  # noqa: BLE001 - the boundary: one analyzer may never fail the image
        return Skipped.broken(entry.spec.name, f"{type(error).__name__}: {error}")
    return checked(entry, signal)


def checked(entry: Registered, signal: Signal) -> Signal:
    """The signal with its numbers complete and inside their declared ranges, or Skipped saying what is wrong."""
    if isinstance(signal, Skipped):
        return signal
    declared = {n.name: n for n in entry.spec.numbers}
    if set(signal.numbers) != set(declared):
        wrong = sorted(set(signal.numbers) ^ set(declared))
        return Skipped.broken(entry.spec.name, f"its numbers are not the declared ones ({', '.join(wrong)})")
    for name, value in signal.numbers.items():
        number = declared[name]
        if not (math.isnan(value) or number.low <= value <= number.high):
            return Skipped.broken(entry.spec.name, f"{name} = {value:g} is outside [{number.low:g}, {number.high:g}]")
    return signal
