"""Taking another artifact while working: on request, and whenever the one in force has changed."""

import asyncio
import contextlib
from typing import Protocol

import structlog

from fusion.interface import Refreshed

_log = structlog.get_logger("worker")


class Reload(Protocol):
    """Looks for another artifact; may take a while, so it is called in a thread."""

    def __call__(self, *, force: bool = False) -> Refreshed:
        """What became of it."""
        ...


async def reload_periodically(refresh: Reload, asked: asyncio.Event, every_s: float) -> None:
    """Look every `every_s` seconds (0: never) and at once when asked; until cancelled."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every_s or None):
                await asked.wait()
        forced = asked.is_set()
        asked.clear()
        tell(await asyncio.to_thread(refresh, force=forced), asked=forced)


def tell(found: Refreshed, *, asked: bool) -> None:
    """A log line for what happened; for nothing only where somebody asked."""
    if found.outcome == "taken":
        _log.info("artifact reloaded", fingerprint=found.fingerprint, earlier=found.earlier)
    elif found.outcome == "refused":
        _log.warning("new artifact refused", reason=found.reason, still_answering_with=found.fingerprint)
    elif asked:
        _log.info("artifact unchanged", fingerprint=found.fingerprint)
