"""Whether the worker gets on with its work: the facts that readiness is tied to, noted by the loop."""

import math
import time
from collections.abc import Callable

from worker.settings import WorkerSettings
from worker.streams.connections import COMMAND_TIMEOUT_S


class ProgressMonitor:
    """Takes note of what the loop does, and says what is wrong, where something is."""

    def __init__(
        self, stall_s: float = math.inf, silence_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`stall_s`: longest time without a finished job while some are in work; `silence_s`: without Redis."""
        self._stall_s = stall_s
        self._silence_s = silence_s
        self._clock = clock
        self._in_work = 0
        self._moved = clock()
        self._contact: float | None = None
        self._draining = False

    @property
    def in_work(self) -> int:
        """How many jobs are in work."""
        return self._in_work

    def reached_redis(self) -> None:
        """Redis has just answered."""
        self._contact = self._clock()

    def began(self) -> None:
        """A job was taken into work."""
        if not self._in_work:
            self._moved = self._clock()
        self._in_work += 1

    def ended(self, *, finished: bool) -> None:
        """A job is no longer in work; `finished` where that is not because something broke."""
        self._in_work -= 1
        if finished:
            self._moved = self._clock()
            self.reached_redis()

    def drain(self) -> None:
        """No new jobs are taken from now on."""
        self._draining = True

    def complaint(self) -> str:
        """Why the worker is not ready, in a sentence; empty where it is."""
        now = self._clock()
        if self._draining:
            return "The worker is draining and takes no new jobs."
        if self._contact is None:
            return "Redis has not answered yet."
        if now - self._contact > self._silence_s:
            return f"Redis has not answered for {now - self._contact:.0f} s."
        if self._in_work and now - self._moved > self._stall_s:
            return f"No job was finished for {now - self._moved:.0f} s, with {self._in_work} in work."
        return ""


def progress_of(settings: WorkerSettings, *, networks: bool = False) -> ProgressMonitor:
    """A monitor with the limits that follow from the settings; `networks` says whether the engine has any to run.

    A job that moves at all ends within one fetch and one decode, and the next decode has begun by then; a batch of
    networks may take minutes on a CPU. The loop hears of Redis at each end of a blocking read, or where it has no room
    for new jobs, at each renewal of the leases.
    """
    stall_s = settings.fetch_timeout_s + 2 * settings.worker_decode_timeout_s
    if networks:
        stall_s += settings.worker_engine_s
    silence_s = settings.redis_check_rate / 1000 + settings.worker_lease_s / 3 + 2 * COMMAND_TIMEOUT_S
    return ProgressMonitor(stall_s, silence_s)
