"""The stream layer with an answer that is known already, against a plain loop and other task queues.

`python -m benchmarks.stream`: jobs of 200 bytes are all there before a worker starts; each result has 1 KB. Everybody
works on the same Redis, one after the other, several rounds. Results are counted where they are read.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support.command import orderly, talk
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.constant import JOB_BYTES, RESULT_BYTES
from benchmarks.support.streams.contestants import (
    PEER_PROCESSES,
    Contestant,
    jobs_per_second,
    peers,
    pipeline,
    plain_loop,
)
from benchmarks.support.streams.peers_python import peers_python, versions
from benchmarks.support.streams.rates import ratios
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

IN_FLIGHT = (32, 256)
Rates = dict[str, list[float]]


@app.command()
def stream(
    jobs: Annotated[int, typer.Option(min=100, help="Jobs of one run of the plain loop and of img_ml.")] = 100_000,
    peer_jobs: Annotated[int, typer.Option(min=100, help="Jobs of one run of another task queue.")] = 15_000,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds; everybody runs once in each.")] = 5,
    peers_at: Annotated[
        Path | None, typer.Option("--peers-python", help="A Python that has the other task queues.", exists=True)
    ] = None,
    redis_server: Annotated[
        Path | None, typer.Option(help="A redis-server to use; Streaq is measured on 7 and newer.", exists=True)
    ] = None,
    with_peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure the other task queues too.")] = True,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Jobs per second of the stream layer, and their ratio to a plain loop and to other task queues."""
    with orderly(), contextlib.ExitStack() as stack:
        python = stack.enter_context(peers_python(peers_at, talk)) if with_peers else None
        server = stack.enter_context(private_redis(redis_server))
        others = peers(python, server.version) if python else ()
        ours = tuple(pipeline(number, log=log) for number in IN_FLIGHT for log in (False, True))
        ours += (pipeline(IN_FLIGHT[0], processes=PEER_PROCESSES),)
        sizes = dict.fromkeys((plain_loop(), *ours), jobs) | dict.fromkeys(others, peer_jobs)
        rates = _rounds(server, sizes, repeat)
        compared = [*(one.name for one in others), plain_loop().name]
        content = {
            "settings": {
                "jobs": jobs,
                "peer_jobs": peer_jobs,
                "repeat": repeat,
                "job_bytes": JOB_BYTES,
                "result_bytes": RESULT_BYTES,
                "redis": server.version,
                "peers": versions(python) if python else {},
                "contestants": {one.name: one.setting for one in sizes},
            },
            "jobs_per_second": {name: round(median(found)) for name, found in rates.items()},
            "runs": {name: [round(value) for value in found] for name, found in rates.items()},
            "ratio_to": {
                other: {one.name: ratios(rates[one.name], rates[other]) for one in ours} for other in compared
            },
        }
        _show(content["jobs_per_second"], content["ratio_to"])
        write_result("stream", content, talk, out)


def _rounds(server: PrivateRedis, sizes: Mapping[Contestant, int], repeat: int) -> Rates:
    rates: Rates = {one.name: [] for one in sizes}
    for number in range(repeat):
        for one, jobs in sizes.items():
            rates[one.name].append(jobs_per_second(server, one, jobs))
            talk.print(f"round {number + 1} of {repeat}: {one.name} {rates[one.name][-1]:,.0f} jobs/s")
    return rates


def _show(medians: object, compared: object) -> None:
    assert isinstance(medians, dict)
    assert isinstance(compared, dict)
    table = Table("", "jobs/s", *(f"times {name}" for name in compared))
    for name, value in medians.items():
        table.add_row(name, f"{value:,}", *(_times(found, name) for found in compared.values()))
    data_console().print(table)


def _times(found: Mapping[str, Mapping[str, float]], name: str) -> str:
    return f"{found[name]['median']:.2f}" if name in found else ""


if __name__ == "__main__":
    run_command(app)
