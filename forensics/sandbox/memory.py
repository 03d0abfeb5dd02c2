"""The memory that this process may have: the machine's, or less where a control group says so."""

import os
from collections.abc import Iterator
from pathlib import Path

_FILES = Path("/")


def memory_mb(root: Path = _FILES) -> int | None:
    """In MiB; None where the system does not tell. `root` is the folder that /proc and /sys are in."""
    limits = [*_of_machine(), *_of_groups(root)]
    return min(limits) // 2**20 if limits else None


def _of_machine() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # pragma: no cover - Windows
        return


def _of_groups(root: Path) -> Iterator[int]:
    """The limits of this process's control group and of those that it lies in (cgroups(7)), version 2 and 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be the one outside of it; the group that is mounted is then its own.
        folder = top / path.lstrip("/")
        for one in (folder, *(parent for parent in folder.parents if parent.is_relative_to(top))):
            yield from _limit(one / name)


def _limit(file: Path) -> Iterator[int]:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return
    if text.isdigit():  # else it is "max"
        yield int(text)
