"""Putting jobs on the stream before anybody works on them."""

from collections.abc import Iterable
from typing import Any

from benchmarks.support.streams.constant import JOBS, RESULTS

_AT_ONCE = 1000


def push(client: Any, jobs: Iterable[str]) -> None:
    """Add each JSON to the job stream."""
    waiting: list[str] = []
    for job in jobs:
        waiting.append(job)
        if len(waiting) == _AT_ONCE:
            _add(client, waiting)
            waiting = []
    _add(client, waiting)


def _add(client: Any, jobs: list[str]) -> None:
    with client.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.xadd(JOBS, {"data": job})
        pipe.execute()


def results(client: Any) -> int:
    """How many results there are."""
    return int(client.xlen(RESULTS))
