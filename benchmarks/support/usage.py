"""What a group of processes uses, as Linux tells."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Positions in /proc/PID/stat after the name in brackets.
_GROUP, _USER, _SYSTEM, _RESIDENT = 2, 11, 12, 21


def cpu_seconds(group: int) -> float:
    """CPU time of the living processes of the group."""
    return sum(int(fields[_USER]) + int(fields[_SYSTEM]) for fields in _members(group)) / _TICKS


def resident_bytes(group: int) -> int:
    """Resident memory of the processes of the group, added up: pages they share count more than once."""
    return sum(int(fields[_RESIDENT]) for fields in _members(group)) * _PAGE


def members(group: int) -> int:
    """How many processes the group has."""
    return sum(1 for _ in _members(group))


def _members(group: int) -> Iterator[list[str]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[_GROUP]) == group:
                yield fields
