"""The file a benchmark leaves behind: one JSON document for each benchmark and kind of machine."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.support.machine import described, machine_name
from forensics.files import write_atomically

RESULTS = Path(__file__).parents[1] / "results"


def write_result(name: str, content: Mapping[str, object], talk: Console, folder: Path = RESULTS) -> Path:
    """Write `content` with the machine before it; the file's path."""
    path = folder / f"{name}-{machine_name()}.json"
    write_atomically(path, json.dumps({"machine": described(), **content}, indent=2) + "\n")
    talk.print(f"Wrote {path.name}")
    return path
