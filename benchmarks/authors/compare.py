"""The fixtures read, our results beside theirs, and how far apart they are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.authors.ours import SYSTEMS, Case

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "authors"
PARTS = ("from_tensors", "from_bytes")


@dataclass(frozen=True, slots=True)
class Fixture:
    """The authors' figures for one of their systems; `about` says whose code gave them, and with which libraries."""

    system: str
    about: Mapping[str, Any]
    cases: tuple[Case, ...]


def fixtures() -> Iterator[Fixture]:
    """All of them by name."""
    for path in sorted(FIXTURES.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        yield Fixture(path.stem, told["about"], tuple(told["cases"]))


def differences(system: str, case: Case) -> dict[str, float]:
    """The largest difference of any number from the authors', for each part that the case has.

    Raises ValueError where something is missing on either side.
    """
    found = SYSTEMS[system](case)
    largest = {}
    for part in (part for part in PARTS if part in case):
        wanted = {
            name: numbers for name, numbers in case[part].items() if isinstance(numbers, list) and name != "pictures"
        }
        if wanted.keys() != found[part].keys():
            raise ValueError(f"{system} gives {sorted(found[part])}, and its fixture has {sorted(wanted)}.")
        largest[part] = max(
            abs(ours - theirs)
            for name, numbers in wanted.items()
            for ours, theirs in zip(found[part][name], numbers, strict=True)
        )
    return largest
