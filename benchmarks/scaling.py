"""Throughput with 1, 2 and 4 workers on one stream: `python -m benchmarks.scaling`.

Once the stream layer with an answer that is known already, once the whole light profile with one decoding process for
each worker. Redis, the image server and whoever counts run on the same cores: more workers than cores only share them.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support import photos
from benchmarks.support.command import orderly, talk
from benchmarks.support.machine import cores
from benchmarks.support.processes import running
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.contestants import constant_worker, fill
from benchmarks.support.streams.jobs import results
from benchmarks.support.streams.light import Light
from benchmarks.support.streams.rates import rate, ratios
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

WORKERS = (1, 2, 4)
_IN_FLIGHT = 32
Rates = dict[int, list[float]]


@app.command()
def scaling(
    jobs: Annotated[int, typer.Option(min=100, help="Jobs of one run of the stream layer.")] = 100_000,
    images: Annotated[int, typer.Option(min=20, help="Images of one run of the light profile; 0: none.")] = 300,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; every number of workers runs once in each.")] = 3,
    threads: Annotated[int, typer.Option(min=0, help="OMP_NUM_THREADS of the light profile; 0: not set.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Jobs and images per second by number of workers, and their ratio to one worker."""
    with orderly(), TemporaryDirectory() as name, private_redis() as server:
        light = Light(Path(name), tuple(photos.write(Path(name), photos.files(50))), 1, 8, images)
        settings = {"OMP_NUM_THREADS": str(threads)} if threads else {}
        measured = {
            "stream layer, jobs/s": _rounds(repeat, lambda count: _stream(server, count, jobs)),
            "light profile, images/s": _rounds(
                repeat, lambda count: light.through_workers(server, count, settings).rate
            ),
        }
        content = {
            "settings": {
                "jobs": jobs,
                "images": images,
                "repeat": repeat,
                "in_flight": _IN_FLIGHT,
                "decode_processes_each": light.processes,
                "batch_size": light.batch,
                "omp_num_threads": threads or None,
                "redis": server.version,
                "cores_for_everything": cores(),
            },
            **{name: _told(rates) for name, rates in measured.items()},
        }
        _show(measured)
        write_result("scaling", content, talk, out)


def _rounds(repeat: int, run: Callable[[int], float]) -> Rates:
    rates: Rates = {count: [] for count in WORKERS}
    for number in range(repeat):
        for count in WORKERS:
            rates[count].append(run(count))
            talk.print(f"round {number + 1} of {repeat}: {count} workers {rates[count][-1]:,.1f} a second")
    return rates


def _stream(server: PrivateRedis, count: int, jobs: int) -> float:
    server.client.flushall()
    fill(server, jobs)
    with contextlib.ExitStack() as stack:
        commands = [constant_worker(f"worker-{number}", _IN_FLIGHT) for number in range(count)]
        started = [stack.enter_context(running(command, BENCHMARK_REDIS_URL=server.url)) for command in commands]
        return rate(lambda: results(server.client), jobs, started)


def _told(rates: Rates) -> dict[str, object]:
    return {
        str(count): {
            "median": round(median(found), 2),
            "runs": [round(value, 2) for value in found],
            "ratio_to_one": ratios(found, rates[1]),
        }
        for count, found in rates.items()
    }


def _show(measured: dict[str, Rates]) -> None:
    table = Table("workers", *(column for name in measured for column in (name, "times one")))
    for count in WORKERS:
        cells: Sequence[str] = [
            cell
            for rates in measured.values()
            for cell in (f"{median(rates[count]):,.1f}", f"{ratios(rates[count], rates[1])['median']:.2f}")
        ]
        table.add_row(str(count), *cells)
    data_console().print(table)
    talk.print(f"All of it ran on {cores()} cores, Redis and the image server included.")


if __name__ == "__main__":
    run_command(app)
