"""What every chaos test ends with: each job is accounted for exactly once, and nothing is left behind."""

import json
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import redis

from tests.worker.processes import DLQ, JOBS, RESULTS, push
from tests.worker.redis_server import wait_until
from tests.worker.web import Web

GROUP = "workers"
LATER = f"{JOBS}:later"
LEASE_S = 1.0


@dataclass(frozen=True, slots=True)
class Ends:
    """How each job ended, by job id: its result document, or the reason of its dead letter."""

    results: dict[str, dict[str, Any]]
    dead_letters: dict[str, str]

    @property
    def statuses(self) -> Counter[str]:
        return Counter(result["status"] for result in self.results.values())


def assert_exactly_once(
    client: "redis.Redis", job_ids: Collection[str], *, timeout: float = 120, lease_s: float = LEASE_S
) -> Ends:
    """Wait until no job is left, and for late doubles; then each job has one result or one dead letter, no more.

    To be called while workers are still running, so that whoever could write a double has the time to.
    """
    expected = Counter(dict.fromkeys(job_ids, 1))
    try:
        wait_until(lambda: client.xlen(JOBS) == 0 and client.zcard(LATER) == 0, timeout=timeout, interval=0.05)
    except AssertionError:
        raise AssertionError(
            f"after {timeout} s {client.xlen(JOBS)} of {len(expected)} jobs are still in the stream, "
            f"{client.zcard(LATER)} wait for another try, {client.xpending(JOBS, GROUP)} are pending"
        ) from None
    time.sleep(1.5 * lease_s)
    results = [json.loads(fields["data"]) for _, fields in client.xrange(RESULTS)]
    letters = [(_job_id(fields), fields["reason"]) for _, fields in client.xrange(DLQ)]
    ended = Counter([result["job_id"] for result in results] + [job_id for job_id, _ in letters])
    lost, doubled = expected - ended, ended - expected
    assert not lost, f"{len(lost)} jobs are lost: {sorted(lost)[:20]}"
    assert not doubled, f"{len(doubled)} jobs ended more than once, or were never pushed: {sorted(doubled)[:20]}"
    assert client.xlen(JOBS) == 0
    assert client.xpending(JOBS, GROUP)["pending"] == 0
    return Ends({result["job_id"]: result for result in results}, dict(letters))


def _job_id(fields: dict[str, str]) -> str:
    """The letter's job id; a message that was too large to be kept is known by the id of its entry."""
    return str(json.loads(fields["data"])["jobId"]) if "data" in fields else f"entry {fields['entry_id']}"


def push_jobs(client: "redis.Redis", web: Web, numbers: range, **more: object) -> set[str]:
    """Push one job for each number, its image one of the twenty small ones; the job ids."""
    for number in numbers:
        push(client, f"job {number}", f"{web.url}/{number % 20}.jpg?{number}", **more)
    return {f"job {number}" for number in numbers}


def ended(client: "redis.Redis") -> int:
    """How many jobs have a result or a dead letter by now."""
    return int(client.xlen(RESULTS)) + int(client.xlen(DLQ))


def held_by(client: "redis.Redis", consumer: str) -> list[str]:
    """The entries that are pending for the consumers that were started under one name."""
    prefix = consumer.replace(" ", "_")
    rows = client.xpending_range(JOBS, GROUP, "-", "+", 10_000)
    return [row["message_id"] for row in rows if row["consumer"].startswith(f"{prefix}-")]
