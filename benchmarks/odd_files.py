"""Odd files through decoding and provenance: `python -m benchmarks.odd_files FOLDER ...`.

Each file is read in a process of its own, so that one that crashes, hangs or takes much memory is found and told. Made
for collections of other projects' test files: c2pa-org/public-testfiles, drewnoakes/metadata-extractor-images,
ianare/exif-samples, contentauth/c2pa-rs.
"""

import multiprocessing
import os
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from benchmarks.support.command import orderly, talk
from benchmarks.support.folders import files_of
from benchmarks.support.result_file import RESULTS, write_result
from forensics.analyzers.provenance import analyze
from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.types import Measured
from img_ml.command import run_command
from scripts.documents.measured_tables import BROKEN, READ, odd

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CRASHED, HUNG, FAILED = BROKEN


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: `read`, a job's error code, `crashed`, `hung`, or `failed` (an exception of ours).

    `memory_mb` is what the reading took beyond what the process had before.
    """

    file: str
    what: str
    seconds: float
    memory_mb: float

    @property
    def is_broken(self) -> bool:
        """Whether the file did what no file may."""
        return self.what in BROKEN


@app.command()
def odd_files(
    folders: Annotated[list[Path], typer.Argument(help="Folders of files, one collection each.")],
    most: Annotated[int, typer.Option(min=1, help="Most files of a folder.")] = 5000,
    patience: Annotated[float, typer.Option(min=1, help="Seconds after which a file counts as hung.")] = 60.0,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Read every file; a table on stdout, a result file, and exit code 1 where a file crashed, hung or failed."""
    with orderly():
        rows = [collection(folder.name, _outcomes(folder, most, patience)) for folder in folders]
        for line in odd(rows):
            print(line)
        write_result("odd_files", {"patience_s": patience, "rows": rows}, talk, out)
        raise typer.Exit(1 if any(row["broken"] for row in rows) else 0)


def collection(name: str, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """How the files of a collection ended, and the worst of them."""
    return {
        "name": name,
        "files": len(outcomes),
        "ends": dict(sorted(Counter(one.what for one in outcomes).items())),
        "broken": [asdict(one) for one in outcomes if one.is_broken],
        "slowest": asdict(max(outcomes, key=lambda one: one.seconds)),
        "largest": asdict(max(outcomes, key=lambda one: one.memory_mb)),
    }


def _outcomes(folder: Path, most: int, patience: float) -> list[Outcome]:
    files = files_of(folder, most)
    return [one_file(path, patience) for path in track(files, folder.name, console=talk, transient=True)]


def one_file(path: Path, patience: float) -> Outcome:
    """The outcome of a file, read in a process that is forked for it."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_read, args=(path, sending), daemon=True)
    started = time.monotonic()
    child.start()
    sending.close()
    try:
        what, seconds, memory_mb = receiving.recv() if receiving.poll(patience) else (HUNG, patience, 0.0)
    except EOFError:
        what, seconds, memory_mb = CRASHED, time.monotonic() - started, 0.0
    child.kill()
    child.join()
    return Outcome(path.name, what, round(seconds, 3), round(memory_mb, 1))


def _read(path: Path, answer: Connection) -> None:
    before, started = _peak_mb(), time.monotonic()
    try:
        signal = analyze(decode(path.read_bytes()))
        what = READ if isinstance(signal, Measured) else FAILED
    except JobError as error:
        what = error.code
    except Exception:  # noqa: BLE001 - whatever it is, it is what this command looks for
        what = FAILED
    answer.send((what, time.monotonic() - started, _peak_mb() - before))
    answer.close()
    os._exit(0)


def _peak_mb() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    run_command(app)
