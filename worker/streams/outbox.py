"""The outbox: callbacks on their stream, from the gate that wrote them until they are delivered or given up."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.streams.connections import connect
from worker.streams.stream import FORGET_AFTER_MS, StreamNames

GROUP = "callbacks"
_HERE = Path(__file__).parent / "lua"
_FIRST = "0-0"


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One callback to deliver; `failures` counts the attempts before this one."""

    id: str
    url: str
    job_id: str
    body: bytes
    failures: int = 0
    traceparent: str = ""


class Outbox:
    """One consumer's hands on the callbacks; errors of Redis pass through to the caller, who decides about retries.

    What waits for another attempt stays in the stream, out of the group, with its time in a sorted set.
    """

    def __init__(self, url: str, names: StreamNames, *, lease_s: float) -> None:
        self._stream = names.callbacks
        self._waiting = names.callbacks_waiting
        self._dead_letters = names.callback_dead_letters
        self._consumer = names.consumer
        self._lease_ms = max(1, round(lease_s * 1000))
        self._cursor = _FIRST
        self._commands = connect(url)
        self._take = self._script("callback_take")
        self._postpone = self._script("postpone")
        self._end = self._script("callback_end")
        self._forget = self._script("forget")

    def _script(self, name: str) -> Any:
        return self._commands.register_script((_HERE / f"{name}.lua").read_text(encoding="utf-8"))

    async def take(self, count: int) -> tuple[list[OutboxEntry], float | None]:
        """Up to `count` callbacks to deliver now, and the seconds until the next waiting one is due (None: none waits).

        Makes the group where it is missing, from the beginning of the stream. What a lost reply had taken comes again
        when its lease runs out.
        """
        entries, cursor, wait_ms = await self._take(
            keys=[self._stream, self._waiting],
            args=[GROUP, self._consumer, count, self._lease_ms, self._cursor],
        )
        self._cursor = cursor.decode()
        return [_entry(key, fields) for key, fields in entries], wait_ms / 1000 if wait_ms >= 0 else None

    async def renew(self, ids: Iterable[str]) -> None:
        """Show a sign of life for the callbacks that are being delivered."""
        if held := list(ids):
            await self._commands.xclaim(self._stream, GROUP, self._consumer, 0, held, justid=True)

    async def delivered(self, entry: OutboxEntry) -> bool:
        """Remove a delivered callback; False where somebody else had done so."""
        return bool(await self._end(keys=[self._stream, self._dead_letters], args=[GROUP, entry.id]))

    async def postpone(self, entry: OutboxEntry, delay_s: float, *, failures: int) -> bool:
        """Let the callback wait with so many failures to its name; False where it is no longer pending."""
        args = [GROUP, entry.id, max(0, round(delay_s * 1000)), failures]
        return bool(await self._postpone(keys=[self._stream, self._waiting], args=args))

    async def bury(self, entry: OutboxEntry, reason: str) -> bool:
        """Move the callback to its dead letters with the reason; False where it is no longer pending."""
        letter = {
            "url": entry.url,
            "job_id": entry.job_id,
            "body": entry.body,
            **({"traceparent": entry.traceparent} if entry.traceparent else {}),
            "entry_id": entry.id,
            "reason": reason,
            "attempts": entry.failures + 1,
        }
        flat = [part for pair in letter.items() for part in pair]
        return bool(await self._end(keys=[self._stream, self._dead_letters], args=[GROUP, entry.id, *flat]))

    async def forget_consumers(self) -> int:
        """Remove consumers that hold nothing and have been silent for an hour; how many."""
        return int(await self._forget(keys=[self._stream], args=[GROUP, FORGET_AFTER_MS]))

    async def leave(self) -> bool:
        """Remove this consumer from the group unless it holds something; whether it was removed."""
        return bool(await self._forget(keys=[self._stream], args=[GROUP, 0, self._consumer]))

    async def close(self) -> None:
        """Close the connection."""
        await self._commands.aclose()


def _entry(key: bytes, flat: list[bytes]) -> OutboxEntry:
    """The entry of a script's reply; whatever else somebody put on the stream has an empty URL and is given up."""
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    failures = fields.get(b"failures", b"0")
    return OutboxEntry(
        key.decode(),
        fields.get(b"url", b"").decode(errors="replace"),
        fields.get(b"job_id", b"").decode(errors="replace"),
        fields.get(b"body", b""),
        int(failures) if failures.isdigit() and len(failures) < 6 else 0,
        fields.get(b"traceparent", b"").decode(errors="replace"),
    )
