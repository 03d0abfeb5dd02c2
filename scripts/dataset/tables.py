"""CSV files of images: paths that stay valid from the folder the file stands in, written whole or not at all."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from forensics.files import write_atomically


def filepath_from(folder: Path, path: Path) -> str:
    """The path as a CSV in `folder` names it: relative where it lies inside, else absolute."""
    folder, path = _plain(folder), _plain(path)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def write_table(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV with these columns; a record's other keys are left out. Raises OSError."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_atomically(path, text.getvalue())


def _plain(path: Path) -> Path:
    """Absolute, links kept, unless a `..` needs them followed."""
    return path.resolve() if ".." in path.parts else Path(os.path.abspath(path))  # noqa: PTH100 - keeps links
