"""taskiq: `python -m benchmarks.peers.taskiq_app COUNT` puts jobs in, `taskiq worker` works on them."""

import asyncio
import sys

import redis.asyncio
from taskiq_redis import RedisStreamBroker

from benchmarks.support.streams.constant import RESULTS, job, redis_url, result

# From the first entry on: the jobs are there before the workers.
broker = RedisStreamBroker(redis_url(), consumer_id="0")
client = redis.asyncio.Redis.from_url(redis_url())
constant = result()


@broker.task(task_name="work")  # pushed by __main__, worked on under the name of the module
async def work(content: str) -> None:
    """Write the result."""
    await client.xadd(RESULTS, {"data": constant})


async def main(count: int) -> None:
    """Put the jobs in."""
    await broker.startup()
    for number in range(count):
        await work.kiq(job(number))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
