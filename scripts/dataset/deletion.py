"""Deleting the files of rows that were left out, never one that something kept needs."""

from collections.abc import Iterable
from pathlib import Path


def delete_files(unwanted: Iterable[Path], needed: Iterable[Path]) -> tuple[int, list[str]]:
    """How many files were deleted, and a sentence for each that could not be.

    A file that a needed path also names stays, whatever link or spelling it is named by. Of a link only the link goes.
    """
    protected = {identity for path in needed for identity in _identities(path)}
    deleted, failed = 0, []
    for path in dict.fromkeys(unwanted):
        try:
            if path.is_dir() or not _identities(path) or _identities(path) & protected:
                continue
            path.unlink()
            deleted += 1
        except OSError as error:
            failed.append(f"{path} could not be deleted: {error.strerror or error}.")
    return deleted, failed


def _identities(path: Path) -> set[tuple[int, int]]:
    """Device and number of the file itself and of what it links to; empty where there is none."""
    found = set()
    for status in (path.lstat, path.stat):
        try:
            found.add((status().st_dev, status().st_ino))
        except OSError:
            continue
    return found
