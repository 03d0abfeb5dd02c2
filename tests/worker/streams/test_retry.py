"""The retry policy for a Redis that is away."""

from redis.exceptions import ConnectionError as RedisIsAwayError

from worker.streams.retry import with_retries


async def test_it_is_insisted_until_redis_answers():
    tries: list[int] = []

    async def command() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise RedisIsAwayError("away")
        return "answer"

    assert await with_retries("trying", command) == "answer"
    assert len(tries) == 3
