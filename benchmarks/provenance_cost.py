"""What reading a file's provenance costs one core: `python -m benchmarks.provenance_cost FOLDER ...`.

Files are decoded first; then metadata and provenance are read again and again, and the median of a file's CPU times
counts. Everything that the analyzer does is in it: C2PA, texts of generators, standard declarations, hidden text, and
the watermarks in the pixels.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import typer
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks.support.command import orderly, talk
from benchmarks.support.folders import files_of
from benchmarks.support.result_file import RESULTS, write_result
from forensics.analyzers.provenance import analyze
from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.reading.metadata import read_metadata
from forensics.types import ImageSample
from img_ml.command import run_command
from scripts.documents.measured_tables import cost

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
AIM_MS = 3.0


@app.command()
def provenance_cost(
    folders: Annotated[list[Path], typer.Argument(help="Folders of image files.")],
    repeat: Annotated[int, typer.Option(min=1, help="Readings of each file, after one that does not count.")] = 5,
    most: Annotated[int, typer.Option(min=1, help="Most files of a folder.")] = 1000,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Milliseconds of one core for each file; a table on stdout, and a result file."""
    with orderly(), threadpool_limits(1):
        samples = (sample for path in folders for sample in _samples(path, most))
        found = summary([_milliseconds(sample, repeat) for sample in samples])
        for line in cost(found):
            print(line)
        write_result("provenance_cost", {"repeat": repeat, **found}, talk, out)


def summary(milliseconds: Sequence[float]) -> dict[str, float | int]:
    """Files, median, 95th percentile and the largest, in milliseconds."""
    high = quantiles(milliseconds, n=20)[-1] if len(milliseconds) > 1 else max(milliseconds, default=0.0)
    middle = median(milliseconds) if milliseconds else 0.0
    found = {"median_ms": middle, "p95_ms": high, "most_ms": max(milliseconds, default=0.0)}
    return {"files": len(milliseconds), "aim_ms": AIM_MS, **{name: round(value, 2) for name, value in found.items()}}


def _samples(folder: Path, most: int) -> list[ImageSample]:
    found = []
    for path in track(files_of(folder, most), folder.name, console=talk, transient=True):
        try:
            found.append(decode(path.read_bytes()))
        except JobError:
            continue
    return found


def _milliseconds(sample: ImageSample, repeat: int) -> float:
    """The median CPU time of one reading."""
    times = []
    for _ in range(repeat + 1):
        started = time.process_time()
        read_metadata(sample.data, sample.media_type)
        analyze(sample)
        times.append((time.process_time() - started) * 1000)
    return median(times[1:])


if __name__ == "__main__":
    run_command(app)
