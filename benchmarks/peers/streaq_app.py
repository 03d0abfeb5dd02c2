"""Streaq: `python -m benchmarks.peers.streaq_app COUNT` puts jobs in, `streaq run` works on them."""

import asyncio
import sys

import redis.asyncio
from streaq import Worker

from benchmarks.support.streams.constant import RESULTS, job, redis_url, result

worker = Worker(redis_url(), concurrency=32, prefetch=100)
client = redis.asyncio.Redis.from_url(redis_url())
constant = result()
_AT_ONCE = 500


# Pushed by __main__, worked on under the name of the module; nobody asks for what it returns.
@worker.task(name="work", ttl=0, silent=True)
async def work(content: str) -> None:
    """Write the result."""
    await client.xadd(RESULTS, {"data": constant})


async def main(count: int) -> None:
    """Put the jobs in."""
    async with worker:
        for start in range(0, count, _AT_ONCE):
            await worker.enqueue_many([work.enqueue(job(n)) for n in range(start, min(count, start + _AT_ONCE))])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
