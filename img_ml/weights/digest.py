"""SHA-256 of files of any size."""

import hashlib
from pathlib import Path

# Hashing costs about a second for each gigabyte or two. Once is enough in a process, as long as the file's size, time
# and place on the disk stay the same.
_KNOWN: dict[tuple[str, int, int, int], str] = {}


def file_sha256(path: Path) -> str:
    """The SHA-256 of the file in hex; every byte is read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """The same, read only once in this process for a file that does not change."""
    stat = path.stat()
    key = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if key not in _KNOWN:
        _KNOWN[key] = file_sha256(path)
    return _KNOWN[key]
