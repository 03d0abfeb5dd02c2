"""The job stream: read, reclaim, renew, finish behind the gate, dead-letter, hand back. Redis 6.2 commands and Lua."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import ResponseError

from worker.streams.connections import COMMAND_TIMEOUT_S, connect
from worker.streams.messages import LARGEST_MESSAGE, RETRIES_FIELD, Callback

_HERE = Path(__file__).parent / "lua"
_GATE = (_HERE / "gate.lua").read_text(encoding="utf-8")
_DEAD_LETTER = (_HERE / "dead_letter.lua").read_text(encoding="utf-8")
_POSTPONE = (_HERE / "postpone.lua").read_text(encoding="utf-8")
_PROMOTE = (_HERE / "promote.lua").read_text(encoding="utf-8")
_TAKE = (_HERE / "take.lua").read_text(encoding="utf-8")
_FORGET = (_HERE / "forget.lua").read_text(encoding="utf-8")
_FIRST = "0-0"
_MOST_PROMOTED = 500
# What one reply carries at most, besides the one message that reaches it.
_MOST_BYTES = 4 * 1024 * 1024
# What a worker adds to a job that comes back does not count as the producer's.
_LARGEST_ENTRY = LARGEST_MESSAGE + 64
# A job that was in work at two deaths is no longer taken to be a bystander.
_ALONE_FROM = 3
# Longer than any worker is silent: one read blocks for ten minutes at most.
FORGET_AFTER_MS = 3_600_000

Fields = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class StreamNames:
    """The keys and names of one queue; `results_maxlen` 0 means that results are never trimmed."""

    jobs: str
    results: str
    group: str
    consumer: str
    results_maxlen: int = 0

    @property
    def dead_letters(self) -> str:
        """The stream of dead letters."""
        return f"{self.jobs}:dlq"

    @property
    def later(self) -> str:
        """The sorted set of jobs that wait for another try, by due time."""
        return f"{self.jobs}:later"

    @property
    def answered(self) -> str:
        """The sorted set of job ids that were answered, by time; only kept where jobs are answered once."""
        return f"{self.jobs}:answered"

    @property
    def callbacks(self) -> str:
        """The stream of callbacks that are still to be delivered."""
        return f"{self.jobs}:callbacks"

    @property
    def callbacks_waiting(self) -> str:
        """The sorted set of callbacks that wait for another attempt, by due time."""
        return f"{self.callbacks}:waiting"

    @property
    def callback_dead_letters(self) -> str:
        """The stream of callbacks that were given up."""
        return f"{self.callbacks}:dlq"

    @property
    def companions(self) -> dict[str, str]:
        """The keys that belong to the job stream, each with its type in Redis."""
        streams = (self.dead_letters, self.callbacks, self.callback_dead_letters)
        sorted_sets = (self.later, self.answered, self.callbacks_waiting)
        return dict.fromkeys(streams, "stream") | dict.fromkeys(sorted_sets, "zset")


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One delivered entry; `deliveries` counts this delivery too.

    `fields` is empty where the message was too large to be carried, or was delivered too often.
    """

    id: str
    fields: Fields
    deliveries: int = 1
    size: int = field(default=0, compare=False)

    @property
    def is_too_large(self) -> bool:
        """Whether the message is larger than any job may be, and was therefore not carried."""
        return self.size > _LARGEST_ENTRY

    @property
    def retries(self) -> int:
        """How often the job was put aside and came back."""
        value = self.fields.get(RETRIES_FIELD, b"")
        return int(value) if value.isdigit() and len(value) < 6 else 0


@dataclass(frozen=True, slots=True)
class Finished:
    """One entry at its end: its result JSON (empty: it goes without one) and the callback to deliver along with it.

    `once` is the job id that shall have no second result, empty where it may; `final` says that this result is the one
    after which there shall be none.
    """

    id: str
    result: str
    callback: Callback | None = None
    once: str = ""
    final: bool = True


class JobStream:
    """One consumer's hands on the stream; errors of Redis pass through to the caller, who decides about retries."""

    def __init__(
        self,
        url: str,
        names: StreamNames,
        *,
        block_ms: int,
        lease_s: float,
        once_s: float = 0,
        max_deliveries: int = 1000,
    ) -> None:
        """With `once_s` a job id is answered once in so many seconds; 0: as often as it comes.

        An entry delivered more than `max_deliveries` times comes without its fields.
        """
        self.names = names
        self._max_deliveries = max_deliveries
        self._alone_from = max(2, min(_ALONE_FROM, max_deliveries))
        self._more_waits = False
        # Whether entries were left that are to be tried alone; whoever tries them puts it back.
        self.suspects_left = False
        self._once_ms = round(once_s * 1000)
        self._block_ms = block_ms
        self._lease_ms = max(1, round(lease_s * 1000))
        self._cursor = _FIRST
        self.callbacks_written = asyncio.Event()  # set whenever this worker has put callbacks into their stream
        # A blocked connection serves nobody else, and its timeout must lie well above the block.
        self._reader = connect(url, timeout_s=block_ms / 1000 + COMMAND_TIMEOUT_S)
        self._commands = connect(url)
        self._gate = self._commands.register_script(_GATE)
        self._dead_letter = self._commands.register_script(_DEAD_LETTER)
        self._postpone = self._commands.register_script(_POSTPONE)
        self._promote = self._commands.register_script(_PROMOTE)
        self._take_script = self._commands.register_script(_TAKE)
        self._forget = self._commands.register_script(_FORGET)

    async def ensure_group(self) -> None:
        """Create the group where it is missing, at id 0: jobs queued before the first start count too."""
        try:
            await self._commands.xgroup_create(self.names.jobs, self.names.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def read_new(self, count: int, longest_ms: int) -> list[StreamEntry]:
        """Up to `count` entries nobody has seen, after at most one block interval or `longest_ms`.

        Only one entry is waited for, whatever its size; what lies behind it is looked at before it is carried.
        """
        entries = await self._take("new", count) if self._more_waits else []
        if not entries:
            entries = await self._wait_for_one(longest_ms)
            if entries and count > 1:
                entries += await self._take("new", count - 1)
        self._more_waits = len(entries) == count or sum(entry.size for entry in entries) >= _MOST_BYTES
        return entries

    async def _wait_for_one(self, longest_ms: int) -> list[StreamEntry]:
        names = self.names
        answer = await self._reader.xreadgroup(
            names.group,
            names.consumer,
            {names.jobs: ">"},
            count=1,
            block=min(self._block_ms, longest_ms),
        )
        return [_delivered(key, fields or {}) for _, entries in answer for key, fields in entries]

    async def reclaim(self, count: int, *, alone: int = 0) -> tuple[list[StreamEntry], bool]:
        """Take over up to `count` entries whose lease ran out; the flag says that the whole list has been seen.

        Of entries that are to be tried alone only `alone` are taken; `suspects_left` says whether there are more.
        """
        entries = await self._take("abandoned", count, alone, self._lease_ms, self._cursor)
        return entries, self._cursor == _FIRST

    async def own_pending(self, count: int, besides: Collection[str], *, alone: int = 0) -> list[StreamEntry]:
        """Up to `count` entries delivered to this consumer that nobody works on: those not named in `besides`.

        Found by their ids, because reading id 0 would raise the delivery counter of entries that are in work, too.
        """
        names = self.names
        listed = await self._commands.xpending_range(
            names.jobs, names.group, "-", "+", count + len(besides), consumername=names.consumer
        )
        wanted = [key for row in listed if (key := row["message_id"].decode()) not in besides]
        return await self._take("held", count, alone, *wanted) if wanted else []

    async def _take(self, what: str, count: int, alone: int = 0, *more: str | int) -> list[StreamEntry]:
        """Entries by the script, which looks at their sizes and delivery counts before it carries them."""
        names = self.names
        limits = (_MOST_BYTES, _LARGEST_ENTRY, self._max_deliveries, self._alone_from, alone)
        taken, cursor, left_alone = await self._take_script(
            keys=[names.jobs], args=[what, names.group, names.consumer, count, *limits, *more]
        )
        if what == "abandoned":
            self._cursor = cursor.decode()
        self.suspects_left = self.suspects_left or bool(left_alone)
        return [
            StreamEntry(key.decode(), dict(zip(flat[::2], flat[1::2], strict=True)), int(deliveries), int(size))
            for key, deliveries, size, flat in taken
        ]

    async def renew(self, ids: Iterable[str]) -> None:
        """Show a sign of life for the entries in work; their delivery counters stay as they are."""
        names, held = self.names, list(ids)
        if held:
            await self._commands.xclaim(names.jobs, names.group, names.consumer, 0, held, justid=True)

    async def finish(self, entries: Sequence[Finished]) -> int:
        """Write the result and callback of each entry that is still pending, delete its job; how many were written.

        Safe to repeat: whoever comes second writes nothing.
        """
        names, flat = self.names, list[str]()
        for one in entries:
            to = one.callback
            callback = (to.url, to.job_id, to.body, to.traceparent) if to else ("", "", "", "")
            flat += [one.id, one.result, *callback, one.once, "1" if one.final else ""]
        written = await self._gate(
            keys=[names.jobs, names.results, names.callbacks, names.answered],
            args=[names.group, names.results_maxlen, self._once_ms, *flat],
        )
        if written and any(one.callback for one in entries):
            self.callbacks_written.set()
        return int(written)

    @property
    def answers_once(self) -> bool:
        """Whether a job id gets one answer only."""
        return self._once_ms > 0

    async def was_answered(self, job_id: str) -> bool:
        """Whether that job id has its answer already."""
        answered_at = await self._commands.zscore(self.names.answered, job_id)
        if answered_at is None:
            return False
        seconds, micros = await self._commands.time()
        return bool(seconds * 1000 + micros / 1000 - answered_at < self._once_ms)

    async def bury(self, entry: StreamEntry, reason: str) -> bool:
        """Move the entry to the dead letters with its reason; False where somebody else had finished it."""
        names = self.names
        moved = await self._dead_letter(
            keys=[names.jobs, names.dead_letters],
            args=[names.group, entry.id, reason, entry.deliveries, _LARGEST_ENTRY],
        )
        return bool(moved)

    async def postpone(self, entry: StreamEntry, delay_s: float, failed: int) -> bool:
        """Put the entry aside for so long, having failed so often; nobody holds it meanwhile.

        False where somebody else had finished it.

        Repeated after a lost reply it changes nothing.
        """
        names = self.names
        aside = await self._postpone(
            keys=[names.jobs, names.later], args=[names.group, entry.id, round(delay_s * 1000), failed]
        )
        return bool(aside)

    async def promote(self) -> tuple[int, float | None]:
        """Put back the jobs whose time has come; how many, and in how many seconds the next is due (None: none)."""
        names = self.names
        moved, due_ms = await self._promote(
            keys=[names.jobs, names.later], args=[names.group, RETRIES_FIELD, _MOST_PROMOTED]
        )
        return int(moved), None if int(due_ms) < 0 else int(due_ms) / 1000

    async def hand_back(self) -> int:
        """Give up all that is pending for this consumer: others may take it at once, and the delivery did not count."""
        names, given = self.names, 0
        start = "-"
        while listed := await self._commands.xpending_range(
            names.jobs, names.group, start, "+", 500, consumername=names.consumer
        ):
            async with self._commands.pipeline(transaction=False) as pipe:
                for row in listed:
                    pipe.xclaim(
                        names.jobs,
                        names.group,
                        names.consumer,
                        0,
                        [row["message_id"]],
                        idle=self._lease_ms * 2,
                        retrycount=max(0, row["times_delivered"] - 1),
                        justid=True,
                    )
                await pipe.execute()
            given += len(listed)
            start = f"({listed[-1]['message_id'].decode()}"
        return given

    async def is_empty(self) -> bool:
        """Whether no job is waiting or in work anywhere, and no callback but those that wait for another attempt."""
        async with self._commands.pipeline(transaction=False) as pipe:
            pipe.xlen(self.names.jobs)
            pipe.xlen(self.names.callbacks)
            pipe.zcard(self.names.callbacks_waiting)
            jobs, callbacks, waiting = await pipe.execute()
        return int(jobs) == 0 and int(callbacks) <= int(waiting)

    async def forget_consumers(self) -> int:
        """Remove consumers that hold nothing and have been silent for an hour; how many."""
        names = self.names
        return int(await self._forget(keys=[names.jobs], args=[names.group, FORGET_AFTER_MS]))

    async def leave(self) -> bool:
        """Remove this consumer from the group unless it holds something; whether it was removed."""
        names = self.names
        return bool(await self._forget(keys=[names.jobs], args=[names.group, 0, names.consumer]))

    async def drop_reader(self) -> None:
        """Close the reading connection, so that no further entry can be delivered to it."""
        await self._reader.aclose()

    async def close(self) -> None:
        """Close both connections."""
        await asyncio.gather(self._reader.aclose(), self._commands.aclose())


def _delivered(key: bytes, fields: Fields) -> StreamEntry:
    size = sum(len(name) + len(value) for name, value in fields.items())
    return StreamEntry(key.decode(), fields if size <= _LARGEST_ENTRY else {}, size=size)


def group_is_missing(error: Exception) -> bool:
    """Whether Redis says that the group or the stream went away (FLUSHALL, failover, XGROUP DESTROY)."""
    return isinstance(error, ResponseError) and ("NOGROUP" in str(error) or "UNBLOCKED" in str(error))
