"""Reads the results and the dead letters as they come, and hands each answer to the job that waits for it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from forensics.documents import json_of
from worker.streams.retry import REDIS_UNAVAILABLE, RetryPolicy
from worker.streams.stream import StreamNames
from worker.web.store import GatewayStore, State

_log = structlog.get_logger("web")
_BLOCK_MS = 1000
_AT_ONCE = 200
# An event stream whose reader is slower than that loses the oldest events; the verdicts themselves are kept.
_MOST_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """A job was answered."""

    job_id: str
    owner: str
    state: State
    label: str | None


class Collector:
    """One task that reads, any number that wait. It goes on where the gateway stopped, so no answer is missed."""

    def __init__(self, client: Any, store: GatewayStore, queues: Sequence[StreamNames]) -> None:
        """`client` is used by nothing else: its reads block."""
        self._client = client
        self._store = store
        self._streams = tuple(dict.fromkeys(name for queue in queues for name in (queue.results, queue.dead_letters)))
        self._ids: dict[str, str] = {}
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._listening: dict[asyncio.Queue[Event], str] = {}
        self._patience = RetryPolicy("reading results")

    @property
    def ready(self) -> bool:
        """Whether the places to read from are known."""
        return bool(self._ids)

    async def find_places(self) -> None:
        """Where to read from: behind what was read last, or, the first time, at each stream's end."""
        ids = {}
        for stream in self._streams:
            ids[stream] = await self._store.position(stream) or await self._end_of(stream)
            await self._store.set_position(stream, ids[stream])
        self._ids = ids

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                if not self._ids:
                    await self.find_places()
                await self._read()
                self._patience.reset()
            except REDIS_UNAVAILABLE as error:
                await self._patience.pause(error)

    @contextlib.asynccontextmanager
    async def awaited(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when the job is answered."""
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    @contextlib.contextmanager
    def events(self, owner: str) -> Any:
        """A queue of the owner's events from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_MOST_EVENTS)
        self._listening[queue] = owner
        try:
            yield queue
        finally:
            del self._listening[queue]

    async def _read(self) -> None:
        found = await self._client.xread(self._ids, count=_AT_ONCE, block=_BLOCK_MS)
        for name, entries in found or ():
            stream = name.decode()
            for entry_id, fields in entries:
                await self._answer(fields)
                self._ids[stream] = entry_id.decode()
            await self._store.set_position(stream, self._ids[stream])

    async def _answer(self, fields: Mapping[bytes, bytes]) -> None:
        answer = _parsed(fields)
        if answer is None:
            return
        job_id, document, state = answer
        owner = await self._store.answered(job_id, json.dumps(document), state)
        if owner is None:
            return
        for event in self._waiting.get(job_id, ()):
            event.set()
        told = Event(job_id, owner, state, document.get("label"))
        for queue, listener in self._listening.items():
            if listener == owner:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(told)

    async def _end_of(self, stream: str) -> str:
        newest = await self._client.xrevrange(stream, count=1)
        return newest[0][0].decode() if newest else "0-0"


def _parsed(fields: Mapping[bytes, bytes]) -> tuple[str, dict[str, Any], State] | None:
    """Job id, document and state of an entry of either stream; None where it is of another kind."""
    try:
        content = json_of(fields.get(b"data", b""))
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    if b"reason" in fields and "jobId" in content:
        reason = fields[b"reason"].decode(errors="replace")
        return str(content["jobId"]), {"status": "error", "error": {"code": "given_up", "message": reason}}, "given_up"
    if "job_id" not in content or content.get("status") not in ("done", "error"):
        return None
    return str(content["job_id"]), content, content["status"]
