"""What a fusion was trained and measured on, source by source: the page SOURCES.md beside a model card."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from forensics.errors import DatasetError
from fusion.training.table import FeatureTable

SOURCES_FILE = "SOURCES.md"
UNKNOWN = "not stated"


def read_licences(csv_path: Path) -> dict[str, str]:
    """The licence of each source by its name, from a CSV with the columns repo,licence (as scripts.gather takes).

    Rows of one source whose licences differ are told together. Raises DatasetError where the file cannot be used.
    """
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(row["repo"].strip(), row["licence"].strip()) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise DatasetError(f"{csv_path} is not a list of sources with the columns repo,licence: {error}.") from error
    found: dict[str, list[str]] = {}
    for source, licence in rows:
        found.setdefault(source, []).append(licence or UNKNOWN)
    return {source: " / ".join(dict.fromkeys(told)) for source, told in found.items()}


def sources_page(table: FeatureTable, licences: Mapping[str, str]) -> str:
    """One line for each source: its split, its kinds, how many images, and its licence where one is told."""
    lines = []
    for split in ("train", "val", "test"):
        for source in np.unique(table.source[table.split == split]).tolist():
            inside = (table.split == split) & (table.source == source)
            kinds = [
                f"{kind} {len(np.unique(table.image[inside & (table.kind == kind)]))}"
                for kind in np.unique(table.kind[inside]).tolist()
            ]
            lines.append(
                f"| {_cell(source)} | {split} | {_cell(', '.join(kinds))} | {_cell(licences.get(source, UNKNOWN))} |"
            )
    return (
        "# Sources\n\nThe images that this model learned from (train, val) and was measured on (test). None of them is "
        "part of it. A licence is what the source itself states; where it speaks of code or a template, it may not "
        "hold for the images.\n\n"
        "| source | split | images | licence |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
