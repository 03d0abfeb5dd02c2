"""A sources.csv: which repositories hold images of which label, and under which paths."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from forensics.errors import DatasetError

# Kinds of a sources.csv with the label each has in a dataset.csv.
LABEL_OF_KIND = {"real": 0, "human_art": 0, "ai": 1}
_NEEDED = ("repo", "label", "path_regex")
_REPOSITORY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: the images of `repository` ("owner/name") whose path matches are of one kind and made by `generator`.

    `most` is how many of them to take at most, None where the row does not say.
    """

    repository: str
    kind: str
    pattern: re.Pattern[str]
    generator: str
    licence: str
    most: int | None = None

    @property
    def label(self) -> int:
        """1 for AI, 0 for everything else."""
        return LABEL_OF_KIND[self.kind]


def read_sources(path: Path) -> list[SourceRow]:
    """The rows of a CSV with the columns repo,label,path_regex and, where known, generator, licence and most.

    `label` is real, human_art or ai. Raises DatasetError for a missing file or column, no rows, an unknown label, a
    name that is not owner/name, a pattern that is no regular expression, or a `most` that is no positive number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{path} lacks the column {', '.join(missing)}: it needs {','.join(_NEEDED)}.")
            rows = [_row(f"{path}, line {number}", record) for number, record in enumerate(reader, start=2)]
    except FileNotFoundError:
        raise DatasetError(f"There is no {path}: name a CSV with the columns {','.join(_NEEDED)}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as CSV in UTF-8: {error}.") from error
    if not rows:
        raise DatasetError(f"{path} lists no sources.")
    return rows


def _row(place: str, record: dict[str, str]) -> SourceRow:
    repository, kind = (record["repo"] or "").strip(), (record["label"] or "").strip()
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise DatasetError(f"{place}: the repository is {repository!r}; it must be written owner/name.")
    if kind not in LABEL_OF_KIND:
        raise DatasetError(f"{place}: the label is {kind!r}; it must be one of {', '.join(LABEL_OF_KIND)}.")
    try:
        pattern = re.compile(record["path_regex"] or "")
    except re.error as error:
        raise DatasetError(f"{place}: the path_regex is not a regular expression: {error}.") from None
    most = (record.get("most") or "").strip()
    if most and (not most.isdecimal() or int(most) < 1):
        raise DatasetError(f"{place}: most is {most!r}; it must be a number from 1, or empty.")
    generator, licence = record.get("generator") or "", record.get("licence") or ""
    return SourceRow(repository, kind, pattern, generator, licence, int(most) if most else None)
