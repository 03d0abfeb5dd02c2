"""What crosses the wire for one request, headers and framing included, counted and bounded."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import httpcore2

from worker.errors import TooLargeError

# Packets carry over a thousand bytes; the first reads may be of headers, or of a slow start.
_FREE_READS, _SMALLEST_MEAN, _BREATH_S = 256, 512, 0.01


class _Budget:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit
        self.reads = 0

    def spend(self, size: int) -> None:
        self.reads += 1
        self.left -= size
        if self.left < 0:
            raise TooLargeError(f"The server sent more than {self.limit} bytes for one request.")

    @property
    def is_dripping(self) -> bool:
        """Whether what is sent comes in many small pieces, each of which costs a turn of the event loop."""
        return self.reads > _FREE_READS and self.limit - self.left < self.reads * _SMALLEST_MEAN


_budget: ContextVar[_Budget | None] = ContextVar("wire budget", default=None)


@contextlib.contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Inside, everything that this task reads from guarded connections may have so many bytes; else TooLargeError."""
    token = _budget.set(_Budget(limit))
    try:
        yield
    finally:
        _budget.reset(token)


class CountedStream(httpcore2.AsyncNetworkStream):
    """A connection whose reads are charged to the request that makes them."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """The next bytes."""
        data = await self._inner.read(max_bytes, timeout)
        if (budget := _budget.get()) is not None:
            budget.spend(len(data))
            if budget.is_dripping:
                # Meanwhile the system collects what comes, and others have their turn.
                await asyncio.sleep(_BREATH_S)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send the bytes."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
    ) -> httpcore2.AsyncNetworkStream:
        """The same under TLS."""
        return CountedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._inner.get_extra_info(info)
