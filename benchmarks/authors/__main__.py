"""`python -m benchmarks.authors`: our networks against the authors' figures; writes benchmarks/results/authors.json.

The published sizes need some minutes and 6 GB; `--small` leaves them out and writes nothing.
"""

import json
import sys
from typing import Annotated

import torch
import typer

from benchmarks.authors.compare import differences, fixtures
from benchmarks.support.result_file import RESULTS
from forensics.files import write_atomically
from img_ml.command import run_command

app = typer.Typer(add_completion=False)


@app.command()
def compare(small: Annotated[bool, typer.Option("--small", help="Only what finishes in seconds.")] = False) -> None:
    """Measure the largest difference of every fixture."""
    torch.set_num_threads(1)
    measured = {}
    for fixture in fixtures():
        largest: dict[str, float] = {}
        for case in fixture.cases:
            if small and case["slow"]:
                continue
            with torch.inference_mode():
                found = differences(fixture.system, case)
            sys.stderr.write(f"{fixture.system}, {case['name']}: {found}\n")
            largest = {part: max(value, largest.get(part, 0.0)) for part, value in {**largest, **found}.items()}
        measured[fixture.system] = {
            **{key: fixture.about[key] for key in ("detector", "repository", "commit")},
            "cases": [case["name"] for case in fixture.cases],
            **{part: float(f"{value:.1e}") for part, value in largest.items()},
        }
    if not small:
        write_atomically(RESULTS / "authors.json", json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    run_command(app)
