"""The decoding processes: each image is decoded where it can be killed, and takes nobody with it."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

import structlog
from pebble import CONSTS, ProcessExpired, ProcessPool

from forensics.errors import DecodeFailedError
from forensics.examine import Examined
from forensics.reading.decode import DecodeLimits
from worker.errors import InternalError
from worker.pipeline import examination

# The processes ignore SIGTERM (see examination.py), so waiting for it to work would only delay the kill.
CONSTS.term_timeout = 0.2

_GRACE_S = 15.0
_log = structlog.get_logger("worker.decode")


@dataclass(frozen=True, slots=True)
class DecodeRules:
    """How images are decoded; `timeout_s` and `memory_mb` hold for one image."""

    processes: int = 1
    timeout_s: float = 20.0
    memory_mb: int = 4096
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    trust_anchors: str | None = None


class DecodePool:
    """Processes that turn bytes into evidence; one that crashes or hangs is replaced."""

    def __init__(self, rules: DecodeRules) -> None:
        self._rules = rules
        self._seats = asyncio.Semaphore(rules.processes)
        self._pool = self._new_pool()

    def warm(self) -> None:
        """Start the processes now, so that the first job does not wait for their imports."""
        for _ in range(self._rules.processes):
            self._pool.schedule(examination.ready)

    async def examine(self, data: bytes, analyzers: tuple[str, ...], keep_pixels: bool) -> Examined:
        """The evidence in one file; a JobError where there is none, DecodeFailedError also where it took too much."""
        rules = self._rules
        arguments = (data, rules.limits, analyzers, keep_pixels, rules.memory_mb)
        try:
            outcome: Examined = await self._run(examination.examine_bytes, arguments)
        except TimeoutError:
            raise DecodeFailedError(f"Decoding the image took longer than {rules.timeout_s:g} s.") from None
        except ProcessExpired as error:
            _log.warning("decoding process died", code=error.exitcode)
            raise DecodeFailedError("The decoder crashed on this image.") from None
        except MemoryError:
            raise DecodeFailedError(f"Decoding the image needs more than {rules.memory_mb} MiB of memory.") from None
        return outcome

    async def _run(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> Any:
        """The outcome of one call in a process; a pool that broke down is replaced and asked once more."""
        async with self._seats:  # tasks wait here, where waiting does not count as decoding
            for _ in range(2):
                pool = self._pool
                try:
                    future = pool.schedule(function, args=arguments, timeout=self._rules.timeout_s)
                    async with asyncio.timeout(self._rules.timeout_s + _GRACE_S) as deadline:
                        return await asyncio.wrap_future(future)
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    self._replace(pool, "no answer")
                except (BrokenProcessPool, RuntimeError) as error:
                    self._replace(pool, repr(error))
        raise InternalError("The decoding processes crashed.", retryable=True)

    def _replace(self, broken: ProcessPool, why: str) -> None:
        """Put a new pool in the place of a broken one; whoever notices second finds it done."""
        if self._pool is broken:
            _log.error("decoding processes crashed", reason=why)
            self._pool = self._new_pool()
            threading.Thread(target=_end, args=(broken,), daemon=True).start()

    def _new_pool(self) -> ProcessPool:
        # Spawned, because this process has threads, which a fork would copy in whatever state they are.
        return ProcessPool(
            max_workers=self._rules.processes,
            initializer=examination.prepare_process,
            initargs=(self._rules.trust_anchors,),
            context=multiprocessing.get_context("spawn"),
        )

    def close(self) -> None:
        """Kill the processes, finished or not."""
        _end(self._pool)


def _end(pool: ProcessPool) -> None:
    """Stop a pool and wait until its processes are gone."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
