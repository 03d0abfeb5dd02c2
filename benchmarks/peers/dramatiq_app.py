"""dramatiq: `python -m benchmarks.peers.dramatiq_app COUNT` puts jobs in, `dramatiq` with this module works on them."""

import sys

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks.support.streams.constant import RESULTS, job, redis_url, result

broker = RedisBroker(url=redis_url())
# Middleware that nobody here needs costs time for every message.
broker.middleware.clear()
dramatiq.set_broker(broker)
client = redis.Redis.from_url(redis_url())
constant = result()


@dramatiq.actor(max_retries=0)
def work(content: str) -> None:
    """Write the result."""
    client.xadd(RESULTS, {"data": constant})


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        work.send(job(number))
