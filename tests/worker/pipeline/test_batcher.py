"""Micro-batches: together when they come together, alone when one of them is poison."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest

from forensics.examine import Examined
from forensics.types import Evidence
from tests.worker.doubles import PlainJudge, verdict_on
from worker.errors import InternalError
from worker.pipeline.batcher import Batcher


def examined(number: int, width: int = 10) -> Examined:
    return Examined(Evidence(f"{number:064x}", "image/png", width, 10, ()))


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Batcher]]:
    batchers = []

    def open_one(conclude, size: int = 8, wait_s: float = 0.02) -> Batcher:
        batchers.append(Batcher(conclude, size=size, wait_s=wait_s))
        return batchers[-1]

    yield open_one
    for batcher in batchers:
        assert await batcher.close()


async def test_everybody_gets_their_own_verdict(opened):
    batcher = opened(PlainJudge().conclude, size=4)
    verdicts = await asyncio.gather(*(batcher.conclude(examined(n)) for n in range(23)))
    assert [verdict.evidence.image_sha256 for verdict in verdicts] == [f"{n:064x}" for n in range(23)]


async def test_a_batch_is_never_larger_than_allowed_and_fills_up_while_the_engine_works(opened):
    judge = PlainJudge(slowness_s=0.03)
    batcher = opened(judge.conclude, size=5, wait_s=0.001)
    await asyncio.gather(*(batcher.conclude(examined(n)) for n in range(20)))
    assert sum(judge.batches) == 20
    assert max(judge.batches) == 5
    assert len(judge.batches) <= 5


async def test_other_work_runs_in_the_engines_thread_and_its_failure_is_its_askers(opened):
    threads = set()

    def conclude(examined):
        threads.add(threading.get_ident())
        return [verdict_on(one) for one in examined]

    def fail():
        raise ValueError("no")

    batcher = opened(conclude)
    await batcher.conclude(examined(1))
    assert {await batcher.between(threading.get_ident)} == threads
    with pytest.raises(ValueError, match="no"):
        await batcher.between(fail)
    await batcher.conclude(examined(2))


async def test_a_lonely_image_waits_no_longer_than_the_wait(opened):
    batcher = opened(PlainJudge().conclude, wait_s=0.05)
    started = time.monotonic()
    await batcher.conclude(examined(1))
    assert time.monotonic() - started < 1


async def test_a_poisonous_image_fails_alone(opened):
    judge = PlainJudge(poison_width=666)
    batcher = opened(judge.conclude, size=8, wait_s=0.05)
    widths = [10, 10, 666, 10]
    outcomes = await asyncio.gather(
        *(batcher.conclude(examined(n, width)) for n, width in enumerate(widths)), return_exceptions=True
    )
    assert [isinstance(outcome, InternalError) for outcome in outcomes] == [False, False, True, False]
    assert judge.batches == [4, 1, 1, 1, 1]
    assert "RuntimeError" in str(outcomes[2])


async def test_a_judge_that_forgets_an_image_is_noticed(opened):
    batcher = opened(lambda items: [verdict_on(item) for item in items][1:], wait_s=0.05)
    outcomes = await asyncio.gather(*(batcher.conclude(examined(n)) for n in range(2)), return_exceptions=True)
    assert all(isinstance(outcome, InternalError) for outcome in outcomes)


async def test_the_engine_always_runs_in_the_same_other_thread(opened):
    threads = set()

    def conclude(items):
        threads.add(threading.get_ident())
        return [verdict_on(item) for item in items]

    batcher = opened(conclude, size=1)
    await asyncio.gather(*(batcher.conclude(examined(n)) for n in range(5)))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_somebody_who_stopped_waiting_does_not_disturb_the_others(opened):
    batcher = opened(PlainJudge(slowness_s=0.05).conclude, size=2, wait_s=0.05)
    tasks = [asyncio.create_task(batcher.conclude(examined(n))) for n in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[3].cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == ["Verdict", "CancelledError"] * 2


async def test_closing_says_whether_the_engine_is_stuck():
    release = threading.Event()

    def stuck(items):
        release.wait(10)
        return [verdict_on(item) for item in items]

    batcher = Batcher(stuck, size=1, wait_s=0)
    waiting = asyncio.create_task(batcher.conclude(examined(1)))
    await asyncio.sleep(0.05)
    assert not await batcher.close()
    waiting.cancel()
    release.set()
