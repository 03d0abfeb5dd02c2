"""Writing results: what cannot be written stops nobody else."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import ConnectionError as RedisIsAwayError

from worker.pipeline.result_writer import ResultWriter
from worker.streams.stream import Finished


async def test_an_entry_that_cannot_be_sent_fails_alone_and_the_next_ones_are_written():
    written: list[str] = []

    async def finish(entries: Sequence[Finished]) -> int:
        for entry in entries:
            entry.result.encode()
        written.extend(entry.id for entry in entries)
        return len(entries)

    result_writer = ResultWriter(finish)
    batch = [Finished("1-1", "{}"), Finished("2-1", "\ud800"), Finished("3-1", "{}")]
    outcomes = await asyncio.gather(*map(result_writer.finish, batch), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), UnicodeEncodeError, type(None)]
    async with asyncio.timeout(5):
        await result_writer.finish(Finished("4-1", "{}"))
    assert written == ["1-1", "3-1", "4-1"]
    await result_writer.close()


@pytest.mark.parametrize("failures", [1, 3])
async def test_what_redis_did_not_take_is_written_again(failures):
    tries: list[int] = []

    async def finish(entries: Sequence[Finished]) -> int:
        tries.append(len(entries))
        if len(tries) <= failures:
            raise RedisIsAwayError("no reply")
        return len(entries)

    result_writer = ResultWriter(finish)
    async with asyncio.timeout(10):
        await result_writer.finish(Finished("1-1", "{}"))
    assert tries == [1] * (failures + 1)
    await result_writer.close()
