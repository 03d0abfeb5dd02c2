"""Ending tasks that are in the middle of something with Redis."""

import asyncio
import random

from redis.exceptions import ConnectionError as RedisIsAwayError

from worker.connections import connect
from worker.patience import end, insist


async def test_a_task_that_speaks_with_redis_ends_whenever_it_is_told(redis_server):
    client = connect(redis_server.url)

    async def chatter() -> None:
        while True:
            await client.ping()

    async with asyncio.timeout(30):
        for _ in range(30):
            talking = [asyncio.create_task(chatter()) for _ in range(2)]
            await asyncio.sleep(random.uniform(0, 0.003))
            await end(*talking)
            assert all(task.done() for task in talking)
    await client.aclose()


async def test_a_task_that_misses_the_first_cancelling_is_told_again():
    async def deaf() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)
        return "never"

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end(task)
    assert task.cancelled()


async def test_ending_what_has_failed_or_nothing_raises_nothing():
    async def broken() -> None:
        raise ValueError("broken")

    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    await end(task)
    await end()


async def test_it_is_insisted_until_redis_answers():
    tries: list[int] = []

    async def command() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise RedisIsAwayError("away")
        return "answer"

    assert await insist("trying", command) == "answer"
    assert len(tries) == 3
