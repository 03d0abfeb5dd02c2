"""Ray: a quiet one on this machine or the cluster that RAY_ADDRESS names, and a run of shards through its actors."""

import importlib.util
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scripts.scoring.errors import ScoringError, ScoringStoppedError
from scripts.scoring.scorer import Scoring, ShardScorer

# Shards are small, and so are their scores: places in files and URLs go in, a few numbers an image come out.
_OBJECT_STORE_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Crew:
    """How many actors there are, and what each may take; `gpus` is a share of one accelerator, or 0."""

    actors: int
    cpus: int
    gpus: float


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What an actor made of a shard; `part` is a Parquet file, `missing` tells detectors that it could not load."""

    shard: int
    images: int
    configuration: str
    missing: str
    problem: str
    part: bytes


def require_ray() -> None:
    """Raise ScoringError where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ScoringError("Ray is not installed: install it with pip install -r requirements-ray.txt.")


@contextmanager
def ray_running(actors: int | None, threads: int, learned: bool) -> Iterator[Crew]:
    """A connection to Ray, and the crew there is room for.

    `learned` says that accelerators are of use. Raises ScoringError where the cluster cannot be reached.
    """
    _fall_silent()
    import ray

    with _without_voice():
        _connect(ray, actors, threads)
    before = _deaf_to_termination()
    try:
        yield _crew(ray.cluster_resources(), actors, threads, learned)
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
        ray.shutdown()


def _connect(ray: Any, actors: int | None, threads: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        if address and address != "local":
            _knock(address)
            ray.init(address, **quiet)
        else:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            # As many as asked for, where that is more than there are: whoever asks knows why.
            cpus = max(cores, (actors or 0) * threads)
            ray.init("local", num_cpus=cpus, include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        told = " ".join(str(error).split())[:300]
        raise ScoringError(f"Ray cannot be used at {address or 'this machine'}: {told}") from None


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would wait there for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _fall_silent() -> None:
    """No usage reports unless they were asked for, no progress bars, no log lines on the terminal."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _without_voice() -> Iterator[None]:
    """Standard error leads nowhere meanwhile: Ray's own library says there which level of log it was told to keep."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _deaf_to_termination() -> Any:
    """Let SIGTERM end the run as Ctrl-C does; the handler before, or None where it cannot be set."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, signal.default_int_handler)


def _crew(resources: Mapping[str, float], actors: int | None, threads: int, learned: bool) -> Crew:
    gpus = int(resources.get("GPU", 0)) if learned else 0
    if actors is None:
        actors = gpus or max(int(resources.get("CPU", 1)) // threads, 1)
    share = 1 / math.ceil(actors / gpus) if gpus else 0.0
    return Crew(actors, threads, share)


def answers(records: Sequence[Mapping[str, Any]], scoring: Scoring, crew: Crew) -> Iterator[ShardResult]:
    """What the actors make of the shards, each as soon as it is there.

    Raises ScoringStoppedError where Ray gives up.
    """
    import ray
    import ray.data

    scored = ray.data.from_items(list(records), override_num_blocks=len(records)).map_batches(
        ShardScorer,
        fn_constructor_args=(scoring,),
        batch_size=1,
        batch_format="numpy",
        # Two shards an actor: one in work, one waiting; more would keep them from actors that are free.
        compute=ray.data.ActorPoolStrategy(size=min(crew.actors, len(records)), max_tasks_in_flight_per_actor=2),
        num_cpus=crew.cpus,
        num_gpus=crew.gpus,
    )
    try:
        for batch in scored.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow"):
            for row in batch.to_pylist():
                yield ShardResult(**row)
    except ray.exceptions.RayError as error:
        raise ScoringStoppedError(f"Ray gave up: {_cause(error)}. What was finished is kept.") from None


def _cause(error: BaseException) -> str:
    """What really happened, without the layers that Ray puts around it, in one line."""
    while (inner := getattr(error, "cause", None) or error.__cause__) is not None:
        error = inner
    told = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {told}"[:300].rstrip(".:")
