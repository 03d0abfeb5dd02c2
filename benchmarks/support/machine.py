"""What a measurement was made on: enough to compare numbers by, nothing that names anybody."""

import os
import platform
from pathlib import Path

MIB = 1024 * 1024


def machine_name() -> str:
    """System, architecture and cores, as result files are named."""
    return f"{platform.system().lower()}-{platform.machine()}-{cores()}cores"


def cores() -> int:
    """The cores of this machine."""
    return os.cpu_count() or 1


def described() -> dict[str, object]:
    """The machine in the words of a result file."""
    return {
        "name": machine_name(),
        "processor": _processor(),
        "cores": cores(),
        "memory_mib": _memory_mib(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    except (ValueError, OSError, AttributeError):
        return None
