"""The sandbox as the worker's event loop uses it: each image is decoded where it can be killed."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from pebble import ProcessExpired

from forensics.examine import Examined
from forensics.sandbox import examination
from forensics.sandbox.sandbox import BROKEN, Sandbox, SandboxRules
from worker.errors import InternalError

_GRACE_S = 15.0
_log = structlog.get_logger("worker.decode")


class DecodePool:
    """Processes that turn bytes into evidence; one that crashes or hangs is replaced."""

    def __init__(self, rules: SandboxRules) -> None:
        self._sandbox = Sandbox(rules)
        self._seats = asyncio.Semaphore(rules.processes)

    def warm(self) -> None:
        """Start the processes now, so that the first job does not wait for their imports."""
        self._sandbox.warm()

    async def examine(self, data: bytes, analyzers: tuple[str, ...], keep_pixels: bool) -> Examined:
        """The evidence in one file; a JobError where there is none, DecodeFailedError also where it took too much."""
        arguments = (data, self._sandbox.rules.limits, analyzers, keep_pixels)
        try:
            outcome: Examined = await self._run(examination.examine_bytes, arguments)
        except (TimeoutError, ProcessExpired, MemoryError) as error:
            if isinstance(error, ProcessExpired):
                _log.warning("decoding process died", code=error.exitcode)
            raise self._sandbox.translated(error) from None
        return outcome

    async def _run(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        """The outcome of one call in a process; a pool that broke down is replaced and asked once more."""
        async with self._seats:  # tasks wait here, where waiting does not count as decoding
            for _ in range(2):
                pool = self._sandbox.pool
                try:
                    future = self._sandbox.schedule(pool, function, *arguments)
                    async with asyncio.timeout(self._sandbox.rules.timeout_s + _GRACE_S) as deadline:
                        return await asyncio.wrap_future(future)
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    reason = "no answer"
                except BROKEN as error:
                    reason = repr(error)
                _log.error("decoding processes crashed", reason=reason)
                self._sandbox.replace(pool)
        raise InternalError("The decoding processes crashed.", retryable=True)

    def close(self) -> None:
        """Kill the processes, finished or not."""
        self._sandbox.close()
