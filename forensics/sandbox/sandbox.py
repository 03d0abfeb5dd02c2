"""The decoding processes of a program: calls go to them with limits; one that crashes or hangs is replaced."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import CONSTS, ProcessExpired, ProcessPool

from forensics.errors import DecodeFailedError, JobError
from forensics.reading.decode import DecodeLimits
from forensics.sandbox import examination
from forensics.sandbox.processes import process_context

# The processes ignore SIGTERM (see examination.py), so waiting for it to work would only delay the kill.
CONSTS.term_timeout = 0.2

# Calls that wait for a process, for each process; each may hold many megabytes.
_AHEAD = 2
BROKEN = (BrokenProcessPool, RuntimeError)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SandboxRules:
    """How files are read; `timeout_s` and `memory_mb` hold for one image."""

    processes: int = 1
    timeout_s: float = 20.0
    memory_mb: int = 4096
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    trust_anchors: str | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    images: int = 1


class Sandbox:
    """Processes that read strangers' files. Its processes start at the first call, or at `warm`."""

    def __init__(self, rules: SandboxRules) -> None:
        self.rules = rules
        self._context = process_context()
        self.pool = self._new_pool()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Start the processes now, so that the first call does not wait for their imports."""
        for _ in range(self.rules.processes):
            self.pool.schedule(examination.ready)

    def run(self, function: Callable[..., T], *arguments: object, images: int = 1) -> T:
        """The outcome of one call, which reads so many images.

        Raises what the call raises; DecodeFailedError where it took too much time or memory or crashed, JobError
        where the processes break down again and again.
        """
        call = _Call(function, arguments, images)
        outcome: T = self._finished(call, *self._begun(call))
        return outcome

    def each(
        self, function: Callable[..., T], items: Iterable[tuple[Any, ...]], images: Callable[..., int] = lambda *_: 1
    ) -> Iterator[T | JobError]:
        """The outcome of a call for the arguments of each item, in order; few of them wait at a time.

        `images` says how many images a call reads. What `run` raises as a JobError is given in its place.
        """
        waiting: deque[tuple[_Call, Future[Any], ProcessPool]] = deque()
        for item in items:
            call = _Call(function, item, images(*item))
            waiting.append((call, *self._begun(call)))
            if len(waiting) > _AHEAD * self.rules.processes:
                yield self._told(*waiting.popleft())
        while waiting:
            yield self._told(*waiting.popleft())

    def _told(self, call: "_Call", future: "Future[Any]", pool: ProcessPool) -> Any:
        try:
            return self._finished(call, future, pool)
        except JobError as error:
            return error

    def _begun(self, call: "_Call") -> "tuple[Future[Any], ProcessPool]":
        pool = self.pool
        try:
            return self.schedule(pool, call.function, *call.arguments, images=call.images), pool
        except BROKEN:
            pool = self.replace(pool)
            return self.schedule(pool, call.function, *call.arguments, images=call.images), pool

    def _finished(self, call: "_Call", future: "Future[Any]", pool: ProcessPool) -> Any:
        """What a call gives or raises; where its pool broke down it is asked once more of a new one."""
        for again in (True, False):
            try:
                return future.result()
            except BrokenProcessPool:
                self.replace(pool)
                if again:
                    future, pool = self._begun(call)
            except Exception as error:  # noqa: BLE001 - raised again, in the caller's terms
                raise self.translated(error) from None
        raise JobError("The decoding processes crashed.", retryable=True)

    def schedule(
        self, pool: ProcessPool, function: Callable[..., T], *arguments: object, images: int = 1
    ) -> "Future[T]":
        """The future of a call in the pool; waiting for a free process does not count. BROKEN where it broke down."""
        limited = (self.rules.memory_mb, function, *arguments)
        return pool.schedule(examination.limited, args=limited, timeout=self.rules.timeout_s * images)

    def translated(self, error: Exception) -> Exception:
        """What is wrong with the image, where that is what ended the call; else the error itself."""
        if isinstance(error, TimeoutError):
            return DecodeFailedError(f"Decoding the image took longer than {self.rules.timeout_s:g} s.")
        if isinstance(error, ProcessExpired):
            return DecodeFailedError("The decoder crashed on this image.")
        if isinstance(error, MemoryError):
            return DecodeFailedError(f"Decoding the image needs more than {self.rules.memory_mb} MiB of memory.")
        return error

    def replace(self, broken: ProcessPool) -> ProcessPool:
        """Put a new pool in the place of a broken one; whoever notices second finds it done."""
        if self.pool is broken:
            self.pool = self._new_pool()
            threading.Thread(target=_end, args=(broken,), daemon=True).start()
        return self.pool

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.rules.processes,
            initializer=examination.prepare_process,
            initargs=(self.rules.trust_anchors,),
            context=self._context,
        )

    def close(self) -> None:
        """Kill the processes, finished or not."""
        _end(self.pool)


def _end(pool: ProcessPool) -> None:
    """Stop a pool and wait until its processes are gone."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
