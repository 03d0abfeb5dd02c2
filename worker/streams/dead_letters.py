"""The dead letters of a queue, jobs or callbacks: looked at, put back where they came from, or dropped."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from worker.errors import UnreadableMessageError
from worker.streams.messages import parse_job
from worker.streams.queue_state import age_of, describe
from worker.streams.stream import Fields, StreamNames

_RETRY = (Path(__file__).parent / "lua" / "retry_letters.lua").read_text(encoding="utf-8")
# Few at a time: a letter may hold 256 KiB, and Redis serves nobody else while the script runs.
_AT_ONCE = 50
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}", re.ASCII)
_LARGEST_NUMBER = 2**64 - 1
# What was added to the fields when the message was given up.
_ADDED = frozenset({b"entry_id", b"reason", b"deliveries", b"attempts"})

Fate = Literal["retried", "dropped", "unknown", "empty"]


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; `job_id` is empty where the message names none, `age_s` None where the id is no time.

    `deliveries` counts those of the job, or the attempts to deliver a callback. `content` has the fields of the job or
    callback as they came; bytes that are no UTF-8 are escaped.
    """

    id: str
    job_id: str
    reason: str
    deliveries: int | None
    age_s: float | None
    content: Mapping[str, str]


class DeadLetters:
    """The dead letters of one stream; errors of Redis pass through."""

    def __init__(self, client: Any, names: StreamNames, *, callbacks: bool = False) -> None:
        """Those of the jobs, or with `callbacks` those of the callbacks.

        `client` is of worker.connections, so that nothing is sent twice in silence.
        """
        self._client = client
        self._letters = names.callback_dead_letters if callbacks else names.dead_letters
        self._origin = names.callbacks if callbacks else names.jobs
        self._retry = client.register_script(_RETRY)

    async def count(self) -> int:
        """How many there are."""
        return int(await self._client.xlen(self._letters))

    async def first(self, count: int) -> list[Letter]:
        """The oldest `count`, oldest first."""
        seconds, micros = await self._client.time()
        found: list[Letter] = []
        start = b"-"
        while len(found) < count:
            page = await self._page(start, b"+", min(_AT_ONCE, count - len(found)))
            if not page:
                break
            found += [_letter(key, fields, seconds + micros / 1e6) for key, fields in page]
            start = b"(" + page[-1][0]
        return found

    async def find(self, ids: Sequence[str]) -> list[Letter]:
        """The letters with these ids; those that are unknown are left out."""
        seconds, micros = await self._client.time()
        found: list[Letter] = []
        for one in filter(_is_entry_id, dict.fromkeys(ids)):
            page = await self._page(one, one, 1)
            found += [_letter(key, fields, seconds + micros / 1e6) for key, fields in page]
        return found

    async def first_ids(self, count: int | None = None) -> list[str]:
        """The ids of the oldest `count`, or of all there are now: letters that come while this is read do not count."""
        last = (await describe(self._client, self._letters)).last_id
        if not last:
            return []
        ids: list[str] = []
        start = b"-"
        while count is None or len(ids) < count:
            page = await self._page(start, last, _AT_ONCE if count is None else min(_AT_ONCE, count - len(ids)))
            if not page:
                break
            ids += [key.decode() for key, _ in page]
            start = b"(" + page[-1][0]
        return ids

    async def retry(self, ids: Sequence[str]) -> dict[str, Fate]:
        """Put the letters back where they came from, each in one step with its removal; what became of each id.

        Safe to repeat: a letter that was put back is unknown from then on.
        """
        fates: dict[str, Fate] = dict.fromkeys(ids, "unknown")
        for some in _batches(ids):
            told = await self._retry(keys=[self._letters, self._origin], args=some)
            fates |= {one: _FATES[outcome] for one, outcome in zip(some, told, strict=True)}
        return fates

    async def drop(self, ids: Sequence[str]) -> dict[str, Fate]:
        """Delete the letters for good; what became of each id."""
        fates: dict[str, Fate] = dict.fromkeys(ids, "unknown")
        for some in _batches(ids):
            async with self._client.pipeline(transaction=False) as pipe:
                for one in some:
                    pipe.xdel(self._letters, one)
                told = await pipe.execute()
            fates |= {one: "dropped" if gone else "unknown" for one, gone in zip(some, told, strict=True)}
        return fates

    async def _page(self, start: bytes | str, end: bytes | str, count: int) -> list[tuple[bytes, Fields]]:
        page: list[tuple[bytes, Fields]] = await self._client.xrange(self._letters, start, end, count=count)
        return page


_FATES: dict[int, Fate] = {1: "retried", 0: "unknown", -1: "empty"}


def _batches(ids: Sequence[str]) -> list[list[str]]:
    """The ids, each once; what is no complete entry id is left out, as to Redis it might mean another letter."""
    different = [one for one in dict.fromkeys(ids) if _is_entry_id(one)]
    return [different[start : start + _AT_ONCE] for start in range(0, len(different), _AT_ONCE)]


def _is_entry_id(text: str) -> bool:
    return _ENTRY_ID.fullmatch(text) is not None and all(int(part) <= _LARGEST_NUMBER for part in text.split("-"))


def _letter(key: bytes, fields: Fields, now_s: float) -> Letter:
    deliveries = fields.get(b"deliveries") or fields.get(b"attempts", b"")
    return Letter(
        id=key.decode(),
        job_id=_job_id(fields),
        reason=fields.get(b"reason", b"").decode(errors="replace"),
        deliveries=int(deliveries) if deliveries.isdigit() and len(deliveries) < 18 else None,
        age_s=age_of(key, now_s),
        content={_text(name): _text(value) for name, value in fields.items() if name not in _ADDED},
    )


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def _job_id(fields: Fields) -> str:
    if b"job_id" in fields:  # a callback's
        return fields[b"job_id"].decode(errors="replace")
    try:
        return parse_job(fields).job_id
    except UnreadableMessageError:
        return ""
