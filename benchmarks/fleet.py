"""Hundreds of simulated workers on one real Redis: what a job, a worker and a queued job cost it.

`python -m benchmarks.fleet`: the pipelines, scripts and connections are real, only the answers are waited for. Redis
has a CPU clock of its own, so what it spends on a job does not depend on how much of the machine the simulation takes.
"""

import contextlib
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support.command import orderly, talk
from benchmarks.support.processes import BenchmarkError, Running, running
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.streams.constant import JOB_BYTES, JOBS, RESULT_BYTES, job, result
from benchmarks.support.streams.constant import RESULTS as RESULTS_KEY
from benchmarks.support.streams.jobs import push, results
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_IDLE_S = 10.0
_SETTLED_S = 6.0
_POLL_S, _STALLED_S = 0.2, 60.0
# The part of the results between which is measured: every worker is full.
_FROM, _TO = 0.1, 0.6
_OURS = frozenset({"cmdstat_info", "cmdstat_xlen"})


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one size of fleet showed. Commands are all that Redis carried out, those inside scripts included."""

    workers: int
    wanted_per_second: float
    jobs_per_second: float
    redis_cpu_us_per_job: float
    commands_per_job: float
    idle_commands_per_worker_second: float
    idle_redis_cpu_share: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Readings of Redis's counters at one moment, or the differences of two."""

    seconds: float
    cpu_s: float
    commands: int
    results: int

    def since(self, before: "Spent") -> "Spent":
        """What came since then."""
        return Spent(
            self.seconds - before.seconds,
            self.cpu_s - before.cpu_s,
            self.commands - before.commands,
            self.results - before.results,
        )


@app.command()
def fleet(
    workers: Annotated[str, typer.Option(help="Sizes of the fleet, separated by commas.")] = "10,100,500",
    per_worker: Annotated[float, typer.Option("--rate", min=0.01, help="Jobs per second of one worker.")] = 4.0,
    in_flight: Annotated[int, typer.Option(min=1, help="WORKER_IN_FLIGHT of each.")] = 32,
    seconds: Annotated[float, typer.Option(min=1, help="For how long there are jobs.")] = 20,
    processes: Annotated[int, typer.Option(min=1, help="Processes that the simulated workers share.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Redis's CPU time and commands for a job, what idle workers cost, and the memory of queued jobs and results."""
    with orderly():
        _allow_connections()
        sizes = [int(part) for part in workers.split(",")]
        with private_redis() as server:
            memory = _memory(server)
            found = [_measured(server, size, per_worker, in_flight, seconds, processes) for size in sizes]
            version = server.version
        _show(found)
        settings: dict[str, object] = {
            "jobs_per_second_of_a_worker": per_worker,
            "in_flight": in_flight,
            "seconds": seconds,
        }
        settings |= {"processes": processes, "job_bytes": JOB_BYTES, "result_bytes": RESULT_BYTES, "redis": version}
        content = {"settings": settings, "memory_bytes": memory, "fleets": [asdict(one) for one in found]}
        write_result("fleet", content, talk, out)


def _measured(
    server: PrivateRedis, size: int, per_worker: float, in_flight: int, seconds: float, processes: int
) -> Fleet:
    server.client.flushall()
    wanted = per_worker * size
    jobs = max(100, round(wanted * seconds))
    with _simulated(server, size, per_worker, in_flight, processes) as workers:
        time.sleep(_SETTLED_S)
        idle = _spent(server)
        time.sleep(_IDLE_S)
        idle = _spent(server).since(idle)
        push(server.client, map(job, range(jobs)))
        first = _when(server, jobs * _FROM, workers)
        working = _when(server, jobs * _TO, workers).since(first)
    seconds_of_idleness = working.seconds / idle.seconds
    told = Fleet(
        size,
        round(wanted, 1),
        round(working.results / working.seconds, 1),
        round((working.cpu_s - seconds_of_idleness * idle.cpu_s) * 1e6 / working.results, 1),
        round((working.commands - seconds_of_idleness * idle.commands) / working.results, 2),
        round(idle.commands / idle.seconds / size, 2),
        round(idle.cpu_s / idle.seconds, 4),
    )
    talk.print(f"{told}")
    return told


@contextlib.contextmanager
def _simulated(
    server: PrivateRedis, size: int, per_worker: float, in_flight: int, processes: int
) -> Iterator[list[Running]]:
    with contextlib.ExitStack() as stack:
        started = []
        for number in range(processes):
            share = size // processes + (number < size % processes)
            if share:
                command = [sys.executable, "-m", "benchmarks.support.streams.simulated_workers", f"process{number}"]
                command += [str(share), str(in_flight), str(per_worker)]
                started.append(stack.enter_context(running(command, BENCHMARK_REDIS_URL=server.url)))
        started[0].until(lambda: _connections(server) > size, "the workers", timeout_s=120)
        yield started


def _connections(server: PrivateRedis) -> int:
    """How many connections there are; each worker has at least one."""
    return int(server.client.info("clients")["connected_clients"])


def _when(server: PrivateRedis, wanted: float, workers: Sequence[Running]) -> Spent:
    """What was spent once there are so many results; BenchmarkError where nothing comes for a minute."""
    found, moved = results(server.client), time.monotonic()
    while found < wanted:
        time.sleep(_POLL_S)
        for worker in workers:
            worker.check()
        if (now := results(server.client)) > found:
            found, moved = now, time.monotonic()
        elif time.monotonic() - moved > _STALLED_S:
            raise BenchmarkError(f"No result for {_STALLED_S:g} s.")
    return _spent(server)


def _spent(server: PrivateRedis) -> Spent:
    """What Redis has spent since it started; what it was asked by this command does not count as commands."""
    cpu = server.client.info("cpu")
    told = server.client.info("commandstats")
    commands = sum(one["calls"] for name, one in told.items() if name not in _OURS)
    return Spent(time.monotonic(), cpu["used_cpu_user"] + cpu["used_cpu_sys"], int(commands), results(server.client))


def _memory(server: PrivateRedis) -> Mapping[str, float]:
    """Bytes of Redis for a job that waits, and for a result that is kept."""
    jobs = 20_000
    push(server.client, map(job, range(jobs)))
    waiting = int(server.client.memory_usage(JOBS, samples=0))
    server.client.flushall()
    with server.client.pipeline(transaction=False) as pipe:
        for _ in range(jobs):
            pipe.xadd(RESULTS_KEY, {"data": result()})
        pipe.execute()
    kept = int(server.client.memory_usage(RESULTS_KEY, samples=0))
    return {"waiting_job": round(waiting / jobs, 1), "kept_result": round(kept / jobs, 1)}


def _allow_connections() -> None:
    """As many open files as this user may have: each worker holds a few connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _show(found: list[Fleet]) -> None:
    table = Table("workers", "wanted/s", "jobs/s", "Redis us/job", "commands/job", "idle commands/s each", "idle CPU")
    for one in found:
        table.add_row(*(f"{value:,}" for value in asdict(one).values()))
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
