"""Looking up the sets of weights that the detectors declare in their own files."""

import difflib
from collections.abc import Sequence
from functools import cache

from forensics.errors import WeightsError
from forensics.registry import TIERS, Tier, discover, entries, get
from img_ml.weights.record import WeightsRecord


def records() -> tuple[WeightsRecord, ...]:
    """Every set of weights: those of small profiles first, then by detector, a detector's own as it lists them."""
    _discover_detectors()
    found = [record for entry in entries() for record in _records_in(entry.weights)]
    return tuple(sorted(found, key=lambda record: TIERS.index(record.tier)))


def of(detector: str) -> tuple[WeightsRecord, ...]:
    """All that a detector can be loaded with, whatever the profile; RegistryError where there is no such detector."""
    _discover_detectors()
    return _records_in(get(detector).weights)


def detector_of(record: WeightsRecord) -> str:
    """The name of the detector that declares the record."""
    return next(entry.spec.name for entry in entries() if record.name in {one.name for one in entry.weights})


def find(name: str) -> WeightsRecord:
    """The record of that name; WeightsError with a hint where there is none."""
    by_name = {record.name: record for record in records()}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise WeightsError(f"There are no weights named {name!r}.{hint}")


def needed(detector: str, tier: Tier) -> tuple[WeightsRecord, ...]:
    """What a detector takes in a profile of that tier: its records of the largest tier that the profile holds."""
    held = TIERS[: TIERS.index(tier) + 1]
    own = [record for record in of(detector) if record.tier in held and not record.optional]
    largest = max((TIERS.index(record.tier) for record in own), default=-1)
    return tuple(record for record in own if TIERS.index(record.tier) == largest)


def _records_in(weights: Sequence[object]) -> tuple[WeightsRecord, ...]:
    return tuple(one for one in weights if isinstance(one, WeightsRecord))


@cache
def _discover_detectors() -> None:
    # By name, for the detectors import the weights folder.
    discover("img_ml.detectors")
