"""Who is compared in the stream benchmark: how each gets its jobs, and how its workers are started."""

import contextlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.support.processes import BenchmarkError, environment, running
from benchmarks.support.streams.constant import job
from benchmarks.support.streams.jobs import push, results
from benchmarks.support.streams.rates import rate
from benchmarks.support.streams.redis_server import PrivateRedis

PEER_PROCESSES = 2
_PLAIN = "benchmarks.support.streams.plain_loop"


@dataclass(frozen=True, slots=True)
class Contestant:
    """`fill` puts so many jobs in; `commands` work on them until killed; `setting` is what was chosen for it."""

    name: str
    setting: str
    commands: tuple[tuple[str, ...], ...]
    fill: Callable[[PrivateRedis, int], None]


def jobs_per_second(server: PrivateRedis, contestant: Contestant, jobs: int) -> float:
    """Results per second in the middle of one run, with all jobs there before the start."""
    server.client.flushall()
    contestant.fill(server, jobs)
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(running(command, BENCHMARK_REDIS_URL=server.url)) for command in contestant.commands
        ]
        return rate(lambda: results(server.client), jobs, started)


def plain_loop() -> Contestant:
    """What everything is measured against."""
    return Contestant("plain loop", "1 process, batches of 32", ((sys.executable, "-m", _PLAIN),), fill)


def pipeline(in_flight: int, *, processes: int = 1, log: bool = False) -> Contestant:
    """The worker's stream layer, in as many processes."""
    said = "a log line for each job" if log else "no log lines"
    name = f"img_ml, {in_flight} in flight"
    name += (f", {processes} processes" if processes > 1 else "") + (", logging" if log else "")
    setting = f"{processes} {'processes' if processes > 1 else 'process'}, WORKER_IN_FLIGHT={in_flight}, {said}"
    commands = tuple(constant_worker(f"worker-{number}", in_flight, log=log) for number in range(processes))
    return Contestant(name, setting, commands, fill)


def constant_worker(consumer: str, in_flight: int, *, log: bool = False) -> tuple[str, ...]:
    """The command that starts one process of the stream layer."""
    command = (sys.executable, "-m", "benchmarks.support.streams.constant_worker", consumer, str(in_flight))
    return (*command, "log" if log else "quiet")


def peers(python: str, redis_version: str) -> tuple[Contestant, ...]:
    """The frameworks, each with the best setting found for work that does nothing; Streaq needs Redis 7."""
    processes = str(PEER_PROCESSES)
    dramatiq = ("dramatiq", "--processes", processes, "--threads", "16", "benchmarks.peers.dramatiq_app")
    taskiq = ("taskiq", "worker", "--workers", processes, "--no-parse", "--log-level", "ERROR")
    celery = ("celery", "-A", "benchmarks.peers.celery_app", "worker", "--pool", "prefork", "-c", processes)
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR")
    streaq = ("streaq", "run", "--workers", processes, "benchmarks.peers.streaq_app:worker")
    newer = int(redis_version.partition(".")[0]) >= 7
    return (
        _peer(python, "dramatiq", f"{processes} processes of 16 threads, no middleware", dramatiq),
        _peer(
            python, "taskiq", f"stream broker, {processes} processes, prefetch 100, no parsing",
            (*taskiq, "--max-prefetch", "100", "benchmarks.peers.taskiq_app:broker"),
        ),
        _peer(
            python, "celery", f"prefork, {processes} processes, prefetch 16 each, late acknowledgement",
            (*celery, *quiet),
        ),
        *([_peer(python, "streaq", f"{processes} processes of 32 tasks, prefetch 100", streaq)] if newer else ()),
    )  # fmt: skip


def _peer(python: str, name: str, setting: str, command: tuple[str, ...]) -> Contestant:
    def fill(server: PrivateRedis, jobs: int) -> None:
        pushing = [python, "-m", f"benchmarks.peers.{name}_app", str(jobs)]
        settings = environment({"BENCHMARK_REDIS_URL": server.url})
        told = subprocess.run(pushing, env=settings, capture_output=True, text=True, check=False)
        if told.returncode:
            raise BenchmarkError(f"The jobs for {name} could not be pushed: {told.stderr[-2000:]}")

    return Contestant(name, setting, ((python, "-m", *command),), fill)


def fill(server: PrivateRedis, jobs: int) -> None:
    """Put so many jobs on the stream."""
    push(server.client, (job(number) for number in range(jobs)))
