"""Ending tasks that do not want to."""

import asyncio
import contextlib
import random

import pytest

from worker import tasks
from worker.streams.connections import connect
from worker.tasks import end


async def test_a_task_that_swallows_cancellations_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr(tasks, "_AGAIN_S", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            swallowed += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert (swallowed, task.cancelled()) == (3, True)


async def test_a_task_gets_the_time_to_leave_in_order_and_keeps_its_error():
    left = False

    async def orderly() -> None:
        nonlocal left
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            left = True

    async def failing() -> None:
        raise ValueError("of its own")

    task, failed = asyncio.create_task(orderly()), asyncio.create_task(failing())
    await asyncio.sleep(0)
    await end(task, failed)
    assert left
    with pytest.raises(ValueError, match="of its own"):
        failed.result()


async def test_tasks_that_ended_before_keep_their_results_and_none_at_all_is_no_error():
    task = asyncio.create_task(asyncio.sleep(0, "kept"))
    await task
    async with asyncio.timeout(5):
        await end(task)
        await end()
    assert task.result() == "kept"


async def test_a_task_that_speaks_with_redis_ends_whenever_it_is_told(redis_server):
    client = connect(redis_server.url)

    async def chatter() -> None:
        while True:
            await client.ping()

    async with asyncio.timeout(60):
        for _ in range(8):
            talking = [asyncio.create_task(chatter()) for _ in range(2)]
            await asyncio.sleep(random.uniform(0, 0.003))
            await end(*talking)
            assert all(task.done() for task in talking)
    await client.aclose()
