"""A fusion belongs to the weights it was trained over: what a detector measures with others, it never learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from forensics.types import Evidence, Measured, Signal, Skipped

_RETRAIN = (
    "the fusion was trained over other weights of this detector: run python -m fusion.train_fusion with this profile"
)


def of_other_weights(trained: Mapping[str, str], here: Mapping[str, str]) -> frozenset[str]:
    """The detectors whose weights here are not those that the fusion was trained over, by their marks."""
    return frozenset(name for name, mark in trained.items() if here.get(name, "") != mark)


def share_weights(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two fusions weigh what the same weights measure, by the marks of their detectors' weights."""
    return any(other.get(name) == mark for name, mark in one.items() if mark)


def without(detectors: frozenset[str], evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence with what these detectors measured skipped, saying why."""
    if not detectors:
        return list(evidence)
    return [replace(one, signals=tuple(_skipped(signal, detectors) for signal in one.signals)) for one in evidence]


def _skipped(signal: Signal, detectors: frozenset[str]) -> Signal:
    return (
        Skipped(signal.detector, _RETRAIN) if isinstance(signal, Measured) and signal.detector in detectors else signal
    )
