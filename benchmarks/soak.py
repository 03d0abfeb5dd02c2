"""Every hostile kind at once, for hours: each job ends exactly once, no innocent one is buried, memory stays flat.

`python -m benchmarks.soak`: two real workers (their judge needs no model), one Redis, `--share` of the jobs of each
hostile kind, and kill -9 of a worker at random moments during the first 60 % of the jobs; in the rest memory is
measured. Ends with exit code 1 where an account does not agree or memory grows.
"""

import contextlib
import itertools
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks.support.command import orderly, talk
from benchmarks.support.processes import BenchmarkError, Running, running
from benchmarks.support.result_file import RESULTS, write_result
from benchmarks.support.soak.accounts import Accounts
from benchmarks.support.soak.mix import SoakJob, mixed
from benchmarks.support.soak.web import web_server
from benchmarks.support.streams.redis_server import PrivateRedis, private_redis
from benchmarks.support.usage import resident_bytes
from img_ml.command import data_console, run_command

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_LEASE_S, _STALLED_S, _LOOK_S, _SAMPLE_S = 3.0, 300.0, 0.2, 2.0
# Jobs that wait at any time: the stream is no store of the whole run.
_AHEAD, _AT_ONCE = 1000, 100
_KILLS_UNTIL, _MEASURED_FROM = 0.6, 0.65
_MOST_GROWTH = 1.15
SETTINGS = {
    "WORKER_LEASE_S": f"{_LEASE_S:g}",
    "REDIS_CHECK_RATE": "1000",
    "WORKER_RETRIES": "1",
    "WORKER_RETRY_DELAY_S": "1",
    "WORKER_DECODE_PROCESSES": "1",
    "WORKER_DECODE_TIMEOUT_S": "2",
    "WORKER_DECODE_MEMORY_MB": "512",
    "WORKER_RESULTS_MAXLEN": "20000",
    "FETCH_TIMEOUT_S": "2",
    "FETCH_MAX_BYTES": "2000000",
    "FETCH_MAX_PIXELS": "8000000",
    "CALLBACK_TIMEOUT_S": "1",
    "CALLBACK_RETRY_S": "0.5",
    "CALLBACK_MAX_ATTEMPTS": "2",
    "OMP_NUM_THREADS": "1",
}


class SoakWorkers:
    """Workers that are started again when they die, whoever killed them."""

    def __init__(self, count: int, server: PrivateRedis, port: int, stack: contextlib.ExitStack) -> None:
        places = f"127.0.0.1:{port},localhost:{port}"
        self._settings = SETTINGS | {"REDIS_URL": server.url, "FETCH_ALLOW": places, "CALLBACK_ALLOW": places}
        self._stacks = [stack.enter_context(contextlib.ExitStack()) for _ in range(count)]
        self.workers = [self._started(stack) for stack in self._stacks]
        self.deaths = 0

    def _started(self, stack: contextlib.ExitStack) -> Running:
        command = [sys.executable, "-m", "benchmarks.support.soak.worker"]
        return stack.enter_context(running(command, **self._settings))

    def kill(self, number: int) -> None:
        """kill -9 of a worker and its decoding processes."""
        self._stacks[number].close()

    def revive(self) -> None:
        """Start again who is dead; also those that a deadly job took along."""
        for number, stack in enumerate(self._stacks):
            if self.workers[number].ended:
                stack.close()
                self.workers[number] = self._started(stack)
                self.deaths += 1

    def resident_mib(self) -> float:
        """Resident memory of all their processes."""
        return sum(resident_bytes(worker.pid) for worker in self.workers) / 2**20


@app.command()
def soak(
    jobs: Annotated[int, typer.Option(min=100, help="Jobs in all.")] = 200_000,
    share: Annotated[float, typer.Option(min=0, max=0.03, help="Share of each hostile kind.")] = 0.01,
    deadly: Annotated[int, typer.Option(min=0, help="Jobs that kill the worker itself.")] = 10,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    kill_every: Annotated[int, typer.Option(min=50, help="Jobs between two kills, on average.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the moments.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the result file.")] = RESULTS,
) -> None:
    """Good and hostile jobs, two workers, random kills: every job has one end, and memory stays flat."""
    with orderly():
        with web_server() as port, private_redis() as server, contextlib.ExitStack() as stack:
            crew, accounts = SoakWorkers(workers, server, port, stack), Accounts(server.client)
            started = time.monotonic()
            todo = mixed(jobs, share, deadly, port, seed)
            memory = _run(todo, jobs, crew, accounts, random.Random(seed), kill_every, server)
            time.sleep(1.5 * _LEASE_S)  # for late doubles
            accounts.look()
            seconds = time.monotonic() - started
            left, version = accounts.left(), server.version
        problems = accounts.problems()
        _show(accounts.outcomes())
        grown = _grown(memory)
        settings = {"jobs": jobs, "share": share, "deadly": deadly, "workers": workers, "kill_every": kill_every}
        content = {
            "settings": settings | {"seed": seed, "redis": version},
            "seconds": round(seconds, 1),
            "deaths_of_workers": crew.deaths,
            "outcomes": accounts.outcomes(),
            "problems": problems[:50],
            "left_in_redis": left,
            "memory_growth": grown,
            "memory_mib": memory[:: max(1, len(memory) // 200)],
        }
        write_result("soak", content, talk, out)
    for problem in problems[:20]:
        talk.print(problem)
    flat = all(growth <= _MOST_GROWTH for growth in grown.values())
    talk.print(f"{len(problems)} problems; {crew.deaths} deaths of workers; memory growth {grown}.")
    raise typer.Exit(0 if flat and not problems and not any(left.values()) else 1)


def _run(
    todo: Iterator[SoakJob],
    jobs: int,
    crew: SoakWorkers,
    accounts: Accounts,
    draw: random.Random,
    kill_every: int,
    server: PrivateRedis,
) -> list[dict[str, float]]:
    """Push, kill, revive and look until all has ended; the memory of the workers and of Redis, in MiB."""
    memory: list[dict[str, float]] = []
    next_kill, next_sample = draw.expovariate(1 / kill_every), 0.0
    ended, moved = 0, time.monotonic()
    while accounts.pushed < jobs or any(accounts.left().values()):
        while accounts.pushed < jobs and accounts.pushed - accounts.ended < _AHEAD:
            accounts.push(itertools.islice(todo, _AT_ONCE))
        time.sleep(_LOOK_S)
        accounts.look()
        crew.revive()
        if accounts.ended > ended:
            ended, moved = accounts.ended, time.monotonic()
        elif time.monotonic() - moved > _STALLED_S:
            talk.print("\n".join(worker.said()[-2000:] for worker in crew.workers))
            raise BenchmarkError(f"{ended} of {jobs} jobs have ended, none for {_STALLED_S:g} s.")
        if next_kill < ended < _KILLS_UNTIL * jobs:
            crew.kill(draw.randrange(len(crew.workers)))
            next_kill = ended + draw.expovariate(1 / kill_every)
        if time.monotonic() > next_sample:
            next_sample = time.monotonic() + _SAMPLE_S
            if ended > _MEASURED_FROM * jobs:
                used = server.client.info("memory")["used_memory"] / 2**20
                memory.append({"workers": round(crew.resident_mib(), 1), "redis": round(used, 1)})
            talk.print(f"{ended:,} of {jobs:,} jobs, {crew.deaths} deaths", end="\r")
    return memory


def _grown(memory: list[dict[str, float]]) -> dict[str, float]:
    """The median of the last quarter of the samples over that of the first."""
    part = len(memory) // 4
    if not part:
        return {}
    first, last = memory[:part], memory[-part:]

    def median(samples: list[dict[str, float]], name: str) -> float:
        return statistics.median(one[name] for one in samples)

    return {name: round(median(last, name) / median(first, name), 3) for name in memory[0]}


def _show(outcomes: dict[str, dict[str, int]]) -> None:
    table = Table("kind", "done", "error", "dead letter", "other")
    for kind, ends in outcomes.items():
        known = [ends.get(name, 0) for name in ("done", "error", "dead letter")]
        table.add_row(kind, *(f"{value:,}" for value in (*known, sum(ends.values()) - sum(known))))
    data_console().print(table)


if __name__ == "__main__":
    run_command(app)
