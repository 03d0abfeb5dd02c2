"""How a queue stands: lengths, lag, pending and consumers, asked of Redis in one go (6.2 commands)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from worker.observability.telemetry import one_line
from worker.streams.connections import connect
from worker.streams.stream import StreamNames

_DESCRIBE = (Path(__file__).parent / "lua" / "describe.lua").read_text(encoding="utf-8")
_ASKING_S = 2.0
# Entry ids below this (the year 2001) were chosen by the producer and are no time.
_EARLIEST_MS = 10**12
_log = structlog.get_logger("worker.watch")


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """One consumer of the group; `idle_s` since it last asked Redis for jobs."""

    name: str
    pending: int
    idle_s: float


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue at one moment. `jobs_added` and `results_added` count all entries ever; None before Redis 7.

    `lag` is the number of jobs that were never delivered, `postponed` of those that wait for another try.
    `oldest_age_s` is None where there is no job, or its id is no time.
    """

    length: int
    lag: int
    pending: int
    postponed: int
    consumers: tuple[ConsumerState, ...]
    oldest_age_s: float | None
    dead_letters: int
    callbacks: int
    callback_dead_letters: int
    results: int
    jobs_added: int | None
    results_added: int | None
    group_exists: bool


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream without its payloads; `added` is None before Redis 7, `first_id` empty where it holds no entry."""

    length: int = 0
    last_id: bytes = b""
    first_id: bytes = b""
    added: int | None = None


async def describe(client: Any, key: str) -> StreamFacts:
    """What Redis tells about a stream; one that does not exist is empty."""
    told = await client.eval(_DESCRIBE, 1, key)
    if told is None:
        return StreamFacts()
    length, last_id, first_id, added = told
    return StreamFacts(int(length), last_id, first_id, None if int(added) < 0 else int(added))


async def read_queue(client: Any, names: StreamNames) -> QueueState:
    """The state of the queue; streams and a group that are not there yet count as empty. RedisError passes through."""
    seconds, micros = await client.time()  # by itself, because on a cluster a command without a key goes to any node
    jobs, results = await describe(client, names.jobs), await describe(client, names.results)
    async with client.pipeline(transaction=False) as pipe:
        pipe.xlen(names.dead_letters)
        pipe.zcard(names.later)
        pipe.xlen(names.callbacks)
        pipe.xlen(names.callback_dead_letters)
        pipe.xinfo_groups(names.jobs)
        pipe.xpending(names.jobs, names.group)
        pipe.xinfo_consumers(names.jobs, names.group)
        answers = await pipe.execute(raise_on_error=False)
    *lengths, groups, pending, consumers = map(_or_nothing, answers)
    dead_letters, postponed, callbacks, callback_dead_letters = (int(length or 0) for length in lengths)
    group = next((one for one in groups or () if one["name"] == names.group.encode()), None)
    length = jobs.length
    held = int((pending or {}).get("pending", 0))
    return QueueState(
        length=length,
        lag=_lag(jobs, held + postponed, group),
        pending=held,
        postponed=postponed,
        consumers=tuple(_consumers(consumers or ())),
        oldest_age_s=age_of(jobs.first_id, seconds + micros / 1e6) if jobs.first_id else None,
        dead_letters=dead_letters,
        callbacks=callbacks,
        callback_dead_letters=callback_dead_letters,
        results=results.length,
        jobs_added=jobs.added,
        results_added=results.added,
        group_exists=group is not None,
    )


def _or_nothing(answer: Any) -> Any:
    """The answer; None where it says that the key or the group does not exist, and anything worse is raised."""
    if isinstance(answer, ResponseError) and ("no such key" in str(answer) or "NOGROUP" in str(answer)):
        return None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _lag(jobs: StreamFacts, delivered: int, group: Mapping[str, Any] | None) -> int:
    """Jobs never delivered: as Redis 7 tells, else what is in the stream and was not; finished ones leave it."""
    if group is None or not jobs.first_id or _order(jobs.first_id) > _order(group["last-delivered-id"]):
        return jobs.length
    told = group.get("lag")
    return max(0, jobs.length - delivered) if told is None else int(told)


def _order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def _consumers(rows: Sequence[Mapping[str, Any]]) -> list[ConsumerState]:
    found = [ConsumerState(row["name"].decode(errors="replace"), row["pending"], row["idle"] / 1000) for row in rows]
    return sorted(found, key=lambda one: one.name)


def age_of(entry_id: bytes, now_s: float) -> float | None:
    """Seconds since the entry was added, by its id and the clock of Redis; None where the id is no time."""
    milliseconds, _ = _order(entry_id)
    return max(0.0, now_s - milliseconds / 1000) if milliseconds >= _EARLIEST_MS else None


class QueueWatch:
    """The state of the queue at most `fresh_s` old, so that asking often does not load Redis."""

    def __init__(self, url: str, names: StreamNames, fresh_s: float = 5.0) -> None:
        self._client = connect(url, timeout_s=_ASKING_S)
        self._names = names
        self._fresh_s = fresh_s
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self.state: QueueState | None = None

    async def refresh(self) -> QueueState | None:
        """The state; None where Redis did not tell it in time."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= self._fresh_s:
                self.state = await self._ask()
                self._asked_at = time.monotonic()
        return self.state

    async def _ask(self) -> QueueState | None:
        try:
            async with asyncio.timeout(_ASKING_S):
                return await read_queue(self._client, self._names)
        except (RedisError, OSError, TimeoutError) as error:
            _log.debug("queue state unavailable", error=one_line(error))
            return None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
