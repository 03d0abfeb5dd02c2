"""Patience with a Redis that is away."""

from redis.exceptions import ConnectionError as RedisIsAwayError

from worker.streams.retry import insist


async def test_it_is_insisted_until_redis_answers():
    tries: list[int] = []

    async def command() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise RedisIsAwayError("away")
        return "answer"

    assert await insist("trying", command) == "answer"
    assert len(tries) == 3
