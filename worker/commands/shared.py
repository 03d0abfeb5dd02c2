"""What the commands that look at a queue share: one connection for one question, and ways to show the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from worker.errors import NoRedisError
from worker.settings import WorkerSettings
from worker.streams.connections import connect
from worker.streams.embedded import redis_at
from worker.streams.retry import REDIS_UNAVAILABLE

T = TypeVar("T")


def ask(settings: WorkerSettings, question: Callable[[Any], Awaitable[T]]) -> T:
    """The answer to a question to the Redis of the settings, or to the private one; NoRedisError where it is away."""
    try:
        with redis_at(settings.redis_url, settings.embedded_redis_dir) as url:
            return asyncio.run(_asked(url, question))
    except REDIS_UNAVAILABLE as error:
        raise NoRedisError(f"Redis cannot be used: {error}") from None


async def _asked(url: str, question: Callable[[Any], Awaitable[T]]) -> T:
    client = connect(url)
    try:
        return await question(client)
    finally:
        await client.aclose()


def without_control_characters(text: str, longest: int = 200) -> str:
    """A stranger's text for a terminal: one line, without control characters, and not longer than that."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def duration(seconds: float | None) -> str:
    """A span of time for people: `340 ms`, `12.3 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`; `unknown` for None."""
    if seconds is None:
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    for size, name, small, small_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size:.0f} {name} {seconds % size // small:.0f} {small_name}"
    raise AssertionError(seconds)
