"""Resident memory of a worker over many jobs: `python -m benchmarks.memory`, ten minutes and more.

The real worker: every job is fetched over HTTP, decoded and examined in another process, judged in a batch and
written. Images are tiny (about 64 x 64 pixels), so that 100,000 of them take minutes; several detectors of the light
profile find them too small and pass. `--judge few` takes two quick detectors and a verdict that is known already in
place of the light profile, for a machine where that takes hours. Memory is looked at while the worker is idle: the
resident memory of its processes added up, so that pages they share count more than once.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.machine import MIB
from benchmarks.support.processes import Running
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.constant import JOBS
from benchmarks.support.streams.image_server import image_server
from benchmarks.support.streams.jobs import push
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from benchmarks.support.streams.workers import MODULE, jobs_for, make_group, workers
from benchmarks.support.usage import members, resident_bytes
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_PIXELS = 64 * 64
_AT_ONCE = 1000
_STALLED_S = 300.0
_LOOKS, _PAUSE_S = 5, 0.5
# Results are trimmed, so that Redis does not fill up; they are counted by the jobs that are gone.
_SETTINGS = {"WORKER_RESULTS_MAXLEN": "1000"}


class JudgeKind(StrEnum):
    """Who judges."""

    LIGHT = "light"
    FEW = "few"


_MODULES = {JudgeKind.LIGHT: MODULE, JudgeKind.FEW: "benchmarks.support.streams.few_detectors"}


@dataclass(frozen=True, slots=True)
class Look:
    """After so many jobs: MiB in all processes together, how many there are, and jobs per second since the last."""

    jobs: int
    mib: float
    processes: int
    jobs_per_second: float


@app.command()
def memory(
    jobs: Annotated[
        int, typer.Option(min=10, help="Number of jobs; the first measurement is after a tenth.")
    ] = 100_000,
    processes: Annotated[int, typer.Option(min=1, help="Decoding processes.")] = 2,
    files: Annotated[int, typer.Option(min=1, help="Number of different files.")] = 50,
    judge: Annotated[JudgeKind, typer.Option(help="The light profile, or only two quick detectors.")] = JudgeKind.LIGHT,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Resident memory after a tenth of the jobs, after two tenths, and so on to all, and the ratio of last to first."""
    settings = {**_SETTINGS, "WORKER_DECODE_PROCESSES": str(processes)}
    with orderly(), TemporaryDirectory() as name, private_redis() as server:
        names = photos.write(Path(name), photos.files(files, pixels=_PIXELS))
        with image_server(Path(name)) as place:
            make_group(server)
            with workers(1, server, place, settings, _MODULES[judge]) as [worker]:
                looks = list(_looks(server, worker, jobs, list(jobs_for(place, names, _AT_ONCE))))
        ratio = looks[-1].mib / looks[0].mib
        content = {
            "settings": {"jobs": jobs, "files": files, "pixels": _PIXELS, "judge": judge.value, **settings},
            "looks": [
                {
                    "jobs": look.jobs,
                    "resident_mib": round(look.mib, 1),
                    "processes": look.processes,
                    "jobs_per_second": round(look.jobs_per_second, 1),
                }
                for look in looks
            ],
            "ratio_last_to_first": round(ratio, 4),
        }
        _show(looks, ratio)
        talk.print(f"Judge: {judge.value}")
        write_result("memory", content, talk, out)


def _looks(server: PrivateRedis, worker: Running, jobs: int, some: Sequence[str]) -> Iterator[Look]:
    """A look after each tenth of the jobs; the same jobs come again and again."""
    done = 0
    for tenth in range(1, 11):
        wanted, started, before = jobs * tenth // 10, time.monotonic(), done
        while done < wanted:
            push(server.client, some[: wanted - done])
            done += min(len(some), wanted - done)
            _until_few(server, worker, len(some) // 2 if done < wanted else 0)
        speed = (done - before) / (time.monotonic() - started)
        yield _look(worker, done, speed)
        talk.print(f"{done} of {jobs} jobs, {speed:.0f} jobs/s")


def _until_few(server: PrivateRedis, worker: Running, few: int) -> None:
    worker.until(lambda: int(server.client.xlen(JOBS)) <= few, f"at most {few} jobs left", _STALLED_S)


def _look(worker: Running, jobs: int, speed: float) -> Look:
    found = []
    for _ in range(_LOOKS):
        time.sleep(_PAUSE_S)
        found.append(resident_bytes(worker.pid) / MIB)
    return Look(jobs, median(found), members(worker.pid), speed)


def _show(looks: Sequence[Look], ratio: float) -> None:
    table = Table("jobs", "resident MiB", "processes", "jobs/s")
    for look in looks:
        table.add_row(f"{look.jobs:,}", f"{look.mib:.1f}", str(look.processes), f"{look.jobs_per_second:.0f}")
    table.add_row("last to first", f"{ratio:.3f}", "", "")
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
