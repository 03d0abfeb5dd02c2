"""Keeping the artifact fresh: by the clock, on request, and never in the way."""

import asyncio
from collections.abc import Callable

import pytest
import structlog

from fusion.artifacts.live import Refreshed
from worker.reload import reload_periodically, tell


class Looks:
    """Counts the looks; answers what it is given."""

    def __init__(self, outcome: str = "unchanged") -> None:
        self.forced: list[bool] = []
        self.found = Refreshed(outcome, "f" * 16, "e" * 16, "because")  # type: ignore[arg-type]

    def __call__(self, *, force: bool = False) -> Refreshed:
        self.forced.append(force)
        return self.found


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.005)


async def test_it_looks_again_and_again() -> None:
    looks = Looks()
    task = asyncio.create_task(reload_periodically(looks, asyncio.Event(), 0.01))
    await until(lambda: len(looks.forced) >= 3)
    task.cancel()
    assert not any(looks.forced)


async def test_asked_it_looks_at_once_and_thoroughly_and_only_once() -> None:
    looks, asked = Looks(), asyncio.Event()
    task = asyncio.create_task(reload_periodically(looks, asked, 0))
    asked.set()
    await until(lambda: looks.forced)
    await until(lambda: not asked.is_set())
    task.cancel()
    assert looks.forced == [True]


@pytest.mark.parametrize(
    ("outcome", "asked", "level"),
    [
        ("taken", False, "info"),
        ("refused", False, "warning"),
        ("unchanged", True, "info"),
        ("unchanged", False, None),
    ],
)
def test_what_happened_is_told_and_nothing_when_nothing_did(outcome: str, asked: bool, level: str | None) -> None:
    with structlog.testing.capture_logs() as logs:
        tell(Looks(outcome).found, asked=asked)
    assert [entry["log_level"] for entry in logs] == ([level] if level else [])
    assert all("f" * 16 in entry.values() for entry in logs)
