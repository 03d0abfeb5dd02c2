"""The pointer: which artifact of a profile is in force, and which ones were before.

A profile's folder (MODEL_DIR/light) is an artifact itself, unless it holds `current.json`, which names another one:

    {"artifact": "../light-xgboost-2", "earlier": ["../light-xgboost", "."]}

Paths are relative to the folder, "." being its own artifact, or absolute.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forensics.documents import json_of
from forensics.errors import ArtifactError
from forensics.files import write_atomically
from fusion.artifacts.artifact import MANIFEST_FILE, POINTER_FILE

_OWN = "."
_MOST_EARLIER = 20


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a folder points at; `earlier` is newest first."""

    artifact: Path
    earlier: tuple[Path, ...] = ()


def read_pointer(folder: Path) -> Pointer:
    """The pointer of a profile's folder; to the folder itself where nobody set one.

    Raises ArtifactError where the file is damaged.
    """
    path = folder / POINTER_FILE
    try:
        content = json_of(path.read_text(encoding="utf-8"))
        names = [str(content["artifact"]), *map(str, content.get("earlier", []))]
    except FileNotFoundError:
        return Pointer(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}. Delete it, and choose an artifact again.") from error
    current, *earlier = [folder / name if name != _OWN else folder for name in names]
    return Pointer(current, tuple(earlier))


def point(folder: Path, artifact: Path) -> Pointer:
    """Put another artifact in force; the one before is remembered. Raises OSError where the folder is not writable."""
    before = read_pointer(folder)
    if before.artifact.resolve() == artifact.resolve():
        return before
    known = (before.artifact, *before.earlier) if _is_artifact(before.artifact) else before.earlier
    return _write(folder, Pointer(artifact, known[:_MOST_EARLIER]))


def point_back(folder: Path, check: Callable[[Path], object]) -> tuple[Pointer, list[str]]:
    """Put the last earlier artifact in force that `check` (raising ArtifactError) lets pass.

    Returns the new pointer, and why each artifact on the way was passed over. Raises ArtifactError where none is left.
    """
    before = read_pointer(folder)
    passed_over = []
    for place, artifact in enumerate(before.earlier):
        try:
            check(artifact)
        except ArtifactError as error:
            passed_over.append(str(error))
            continue
        return _write(folder, Pointer(artifact, before.earlier[place + 1 :])), passed_over
    reasons = "".join(f" Passed over: {reason}" for reason in passed_over)
    raise ArtifactError(f"There is no earlier artifact of {folder} to go back to.{reasons}")


def _write(folder: Path, pointer: Pointer) -> Pointer:
    names = [_named(folder, path) for path in (pointer.artifact, *pointer.earlier)]
    content = {"artifact": names[0], "earlier": names[1:]}
    write_atomically(folder / POINTER_FILE, json.dumps(content, indent=2) + "\n")
    return pointer


def _named(folder: Path, artifact: Path) -> str:
    """Relative for a neighbour, so that a folder of models can be moved as a whole; absolute for the rest."""
    folder, artifact = folder.resolve(), artifact.resolve()
    if artifact == folder:
        return _OWN
    return os.path.relpath(artifact, folder) if artifact.is_relative_to(folder.parent) else str(artifact)


def _is_artifact(folder: Path) -> bool:
    return (folder / MANIFEST_FILE).is_file()
