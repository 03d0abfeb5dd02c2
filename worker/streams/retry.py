"""Retry policy for Redis: growing pauses while it is away, told of when it goes, every 10 s, and when it is back."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from worker.observability.telemetry import one_line

# The errors of a cluster that has lost its way are no RedisError.
REDIS_UNAVAILABLE = (RedisError, RedisClusterException, OSError)

_SHORTEST_S = 0.05
_LONGEST_S = 3.0
_SAY_EVERY_S = 10.0
_log = structlog.get_logger("worker.redis")

T = TypeVar("T")


class RetryPolicy:
    """Pauses that double from 0.05 s to 3 s (with jitter) until `reset` says that all is well again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0
        self._said = 0.0

    async def pause(self, error: BaseException) -> None:
        """Sleep a little longer than the last time."""
        now = time.monotonic()
        if not self._failures or now - self._said >= _SAY_EVERY_S:
            self._said = now
            # An answer that is an error (a key of another type, no rights) says that Redis is there.
            what = "redis refuses commands" if isinstance(error, ResponseError) else "redis unavailable"
            _log.warning(what, while_=self._what, error=one_line(error))
        self._failures += 1
        longest = min(_LONGEST_S, _SHORTEST_S * 2 ** min(self._failures, 10))
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Forget past failures."""
        if self._failures:
            _log.info("redis available again", while_=self._what, failures=self._failures)
        self._failures = 0


async def with_retries(what: str, command: Callable[[], Awaitable[T]]) -> T:
    """The outcome of a repeatable command, tried until Redis answers it."""
    retry_policy = RetryPolicy(what)
    while True:
        try:
            outcome = await command()
        except REDIS_UNAVAILABLE as error:
            await retry_policy.pause(error)
        else:
            retry_policy.reset()
            return outcome
