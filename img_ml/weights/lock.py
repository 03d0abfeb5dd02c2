"""The lock file of a weights folder: every file that was pulled, by SHA-256, and where it came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.files import write_atomically

LOCK_FILE = "weights.lock.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class LockedFile:
    """One file as it was when pulled: SHA-256 in hex, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class LockedWeights:
    """What was pulled under one name. `source` is the repository or the adopted file, `revision` the hub's commit."""

    source: str
    revision: str
    files: Mapping[str, LockedFile]


def read_lock(folder: Path) -> dict[str, LockedWeights]:
    """What the folder's lock file lists by name, nothing where there is no such file; WeightsError if unreadable."""
    path = folder / LOCK_FILE
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            raise ValueError(f"its version is {content['version']}, not {_VERSION}")
        return {name: _locked(one) for name, one in content["weights"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"The lock file {path} cannot be read: {error}. Delete it and pull the weights again."
        ) from error


def write_lock(folder: Path, locked: Mapping[str, LockedWeights]) -> None:
    """Write the lock file; the caller holds the folder's file lock."""
    content = {"version": _VERSION, "weights": {name: asdict(locked[name]) for name in sorted(locked)}}
    write_atomically(folder / LOCK_FILE, json.dumps(content, indent=2) + "\n")


def _locked(content: Mapping[str, Any]) -> LockedWeights:
    files = {str(name): LockedFile(str(one["sha256"]), int(one["size"])) for name, one in content["files"].items()}
    return LockedWeights(str(content["source"]), str(content["revision"]), files)
