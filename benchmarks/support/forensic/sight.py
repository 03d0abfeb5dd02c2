"""What is found in one view of an image, and the file that keeps it for a run that goes on later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forensics.errors import UsageError
from forensics.files import write_atomically
from img_ml.data.dataset import Row


@dataclass(frozen=True, slots=True)
class Sight:
    """One measured view: the numbers of each group (f,), and the seconds of one core that each group took."""

    row: Row
    found: Mapping[str, NDArray[np.float64]]
    took: Mapping[str, float]


class Kept:
    """A file with a line for each measured row: its path, numbers and times, or nothing where it was left out.

    `asked` is what the numbers depend on besides: a file of another is refused.
    """

    def __init__(self, path: Path | None, asked: str) -> None:
        """`path` None keeps nothing. Raises DatasetError where the file holds something else."""
        self._path, self._lines = path, dict[str, list[dict[str, object]]]()
        if path is None:
            return
        if not path.exists():
            path.write_text(json.dumps({"asked": asked}) + "\n", encoding="utf-8")
        first, *rest = path.read_text(encoding="utf-8").splitlines(keepends=True) or ["null"]
        if first != json.dumps({"asked": asked}) + "\n":
            raise UsageError(f"{path} holds other measurements than these: name another file.")
        # A line that a killed run left unfinished is measured again.
        self._lines = dict(json.loads(line) for line in rest if line.endswith("\n"))
        whole = [first, *(line for line in rest if line.endswith("\n"))]
        write_atomically(path, "".join(whole))

    def __contains__(self, row: Row) -> bool:
        return str(row.path) in self._lines

    def sight(self, row: Row) -> Sight | None:
        """What was found in the row's view; None where it was left out."""
        line = self._lines[str(row.path)]
        if not line:
            return None
        found, took = line
        return Sight(row, {name: np.array(values) for name, values in found.items()}, took)  # type: ignore[arg-type]

    def add(self, row: Row, sight: Sight | None) -> None:
        """Note what was found."""
        if self._path is None:
            return
        told = [] if sight is None else [{name: one.tolist() for name, one in sight.found.items()}, dict(sight.took)]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([str(row.path), told]) + "\n")
