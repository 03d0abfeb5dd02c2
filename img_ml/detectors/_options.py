"""What a profile chose for a learned detector, checked: an option nobody knows is an error, not ignored."""

from collections.abc import Mapping, Sequence

from forensics.errors import ArtifactError
from forensics.registry import Setup

# Every learned detector takes it: the name of a record of the table.
_COMMON = ("weights",)


def options(setup: Setup, detector: str, known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The value of each known option, the first of its values where the profile says nothing.

    An option without values takes any text, and is empty where the profile says nothing.
    Raises ArtifactError where the profile names an option or a value that is not known.
    """
    for name in setup.options:
        if name not in known and name not in _COMMON:
            told = ", ".join(sorted({*known, *_COMMON}))
            raise ArtifactError(f"{detector} has no option {name!r} in a profile: it knows {told}.")
    chosen = {name: setup.options.get(name, values[0] if values else "") for name, values in known.items()}
    for name, value in chosen.items():
        if known[name] and value not in known[name]:
            raise ArtifactError(f"The option {name} of {detector} is {value!r}: choose {' or '.join(known[name])}.")
    return chosen
