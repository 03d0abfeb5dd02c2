"""The loop against a real Redis behind a line that loses replies."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator

import pytest

from forensics.examine import Examined
from forensics.types import Evidence
from tests.worker.doubles import verdict_on
from tests.worker.processes import JOBS, RESULTS, push, results
from tests.worker.redis_server import RedisServer
from worker.errors import FetchFailedError
from worker.observability.telemetry import JobAnswered
from worker.pipeline.pipeline import Pipeline, PipelineRules
from worker.pipeline.processing import JobProcessor, Stages
from worker.streams.stream import JobStream, StreamNames


class LossyLine:
    """A proxy in front of Redis that drops the connection instead of passing on the reply to chosen commands."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.to_lose: list[bytes] = []
        self.lost: list[bytes] = []

    async def __aenter__(self) -> "LossyLine":
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self.listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        dropping = asyncio.Event()

        async def forth() -> None:
            while chunk := await reader.read(1 << 20):
                for command in list(self.to_lose):
                    if command in chunk:
                        self.to_lose.remove(command)
                        self.lost.append(command)
                        dropping.set()
                upstream_writer.write(chunk)
            upstream_writer.close()

        async def back() -> None:
            while chunk := await upstream_reader.read(1 << 20):
                if dropping.is_set():
                    break
                writer.write(chunk)
            writer.close()

        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(forth(), back())
        upstream_writer.close()
        writer.close()


class Worker:
    """A pipeline in this process whose stations only count."""

    def __init__(self, url: str, *, block_ms: int = 100, **rules: object) -> None:
        self.rules = PipelineRules(**{"lease_s": 2.0, "drain_s": 1.0, **rules})
        names = StreamNames(JOBS, RESULTS, "workers", "me")
        self.stream = JobStream(url, names, block_ms=block_ms, lease_s=self.rules.lease_s)
        self.fetched: list[str] = []
        self.events: list[JobAnswered] = []
        self.pause_s = 0.0
        self.stop = asyncio.Event()

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        await asyncio.sleep(self.pause_s)
        return url.encode()

    async def examine(self, data: bytes) -> Examined:
        return Examined(Evidence("cd" * 32, "image/png", 3, 2, ()))

    async def conclude(self, examined: Examined):
        return verdict_on(examined)

    async def run(self) -> bool:
        processor = JobProcessor(Stages(lambda url: self.fetch(url), self.examine, self.conclude), 8)
        try:
            return await Pipeline(self.stream, processor, self.rules, self.events.append).run(self.stop)
        finally:
            await self.stream.close()


@pytest.fixture
async def line(redis_server, client) -> AsyncIterator[LossyLine]:
    async with LossyLine(redis_server) as opened:
        yield opened


async def until(condition) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in Redis
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "command", [b"XREADGROUP", b"EVALSHA", b"abandoned", b"XPENDING", b"XGROUP", b"XREADGROUP EVALSHA EVALSHA"]
)
async def test_a_lost_reply_loses_and_doubles_nothing(line, client, command):
    line.to_lose = command.split()
    for n in range(10):
        push(client, f"job {n}", f"http://a.test/{n}")
    worker = Worker(line.url, lease_s=60)  # so long that nothing is found again by its lease running out
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) >= 10 and client.xlen(JOBS) == 0 and not line.to_lose)
    worker.stop.set()
    assert await running
    assert sorted(result["job_id"] for result in results(client)) == sorted(f"job {n}" for n in range(10))
    assert sorted(line.lost) == sorted(command.split())
    assert len(worker.fetched) == 10


def failing(worker: Worker, times: int, *, retryable: bool = True, after_s: float | None = None) -> list[float]:
    """Make the worker's fetches of `/down` fail so many times; when they were tried."""
    tried: list[float] = []

    async def fetch(url: str) -> bytes:
        if "/down" in url:
            tried.append(time.monotonic())
            if len(tried) <= times:
                raise FetchFailedError("The server answered 503.", retryable=retryable, retry_after_s=after_s)
        return url.encode()

    worker.fetch = fetch
    return tried


async def test_an_image_that_is_away_for_a_while_is_tried_again_with_growing_delay(line, client):
    push(client, "away", "http://a.test/down")
    worker = Worker(line.url, in_flight=1, retries=5, retry_delay_s=0.1)
    tried = failing(worker, 2)
    running = asyncio.create_task(worker.run())
    await until(lambda: len(tried) == 1)
    # Its place is free at once: another job goes through the only one while it waits.
    push(client, "next", "http://a.test/good")
    await until(lambda: client.xlen(RESULTS) == 2 and client.xlen(JOBS) == 0)
    worker.stop.set()
    assert await running
    assert [result["job_id"] for result in results(client)] == ["next", "away"]
    assert results(client)[1]["status"] == "done"
    first, second = tried[1] - tried[0], tried[2] - tried[1]
    assert second > 2 * first > 0.1
    assert [event.outcome for event in worker.events if event.job_id == "away"][:2] == ["postponed", "postponed"]


async def test_a_job_whose_server_says_when_comes_back_no_earlier(line, client):
    push(client, "away", "http://a.test/down")
    worker = Worker(line.url, retries=5, retry_delay_s=0.02)
    tried = failing(worker, 1, after_s=0.7)
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    assert await running
    assert 0.6 < tried[1] - tried[0] < 5


async def test_after_the_last_retry_the_error_is_the_answer(line, client):
    push(client, "gone", "http://a.test/down")
    worker = Worker(line.url, retries=2, retry_delay_s=0.02)
    tried = failing(worker, 99)
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    assert await running
    (result,) = results(client)
    assert (result["status"], result["error"]["code"], result["error"]["retryable"]) == ("error", "fetch_failed", True)
    assert len(tried) == 3


async def test_a_failure_for_good_is_answered_at_once(line, client):
    push(client, "gone", "http://a.test/down")
    worker = Worker(line.url, retries=5, retry_delay_s=60)
    tried = failing(worker, 99, retryable=False)
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    assert await running
    assert len(tried) == 1


async def test_a_job_put_aside_by_a_worker_that_ended_is_taken_up_by_another(line, client):
    push(client, "away", "http://a.test/down")
    first = Worker(line.url, retries=5, retry_delay_s=0.5)
    failing(first, 1)
    running = asyncio.create_task(first.run())
    await until(lambda: client.zcard(f"{JOBS}:later") == 1)
    first.stop.set()
    assert await running
    second = Worker(line.url, lease_s=0.4)
    running = asyncio.create_task(second.run())
    await until(lambda: client.xlen(RESULTS) == 1 and client.xlen(JOBS) == 0)
    second.stop.set()
    assert await running
    assert [result["status"] for result in results(client)] == ["done"]


async def test_no_more_jobs_than_allowed_are_in_work(line, client):
    for n in range(12):
        push(client, f"job {n}", f"http://a.test/{n}")
    worker = Worker(line.url, in_flight=3)
    worker.pause_s = 0.3
    running = asyncio.create_task(worker.run())
    await until(lambda: len(worker.fetched) == 3)
    assert client.xpending(JOBS, "workers")["pending"] == 3
    await until(lambda: client.xlen(RESULTS) == 12)
    worker.stop.set()
    assert await running


async def test_a_long_job_keeps_its_lease(line, client):
    entry = push(client, "long", "http://a.test/long")
    worker = Worker(line.url, lease_s=0.3)
    worker.pause_s = 1.5
    running = asyncio.create_task(worker.run())
    await until(lambda: worker.fetched)
    await asyncio.sleep(1.0)  # three leases
    (pending,) = client.xpending_range(JOBS, "workers", entry, entry, 1)
    assert pending["times_delivered"] == 1
    assert pending["time_since_delivered"] < 300
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    assert await running


async def test_a_job_in_work_that_is_delivered_again_is_not_started_again(line, client):
    entry = push(client, "once", "http://a.test/once")
    worker = Worker(line.url, lease_s=0.6)
    worker.pause_s = 2.0
    running = asyncio.create_task(worker.run())
    await until(lambda: worker.fetched)

    def delivered_again() -> bool:
        client.xclaim(JOBS, "workers", "me", 0, [entry], idle=60_000, justid=True)
        return client.xpending_range(JOBS, "workers", entry, entry, 1)[0]["times_delivered"] > 1

    await until(delivered_again)
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    assert await running
    assert worker.fetched == ["http://a.test/once"]


async def test_what_an_earlier_life_left_behind_is_done_first(line, client):
    push(client, "old", "http://a.test/old")
    client.xgroup_create(JOBS, "workers", "0")
    client.xreadgroup("workers", "me", {JOBS: ">"})
    push(client, "new", "http://a.test/new")
    worker = Worker(line.url, in_flight=1, lease_s=60)
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) == 2)
    worker.stop.set()
    assert await running
    assert worker.fetched == ["http://a.test/old", "http://a.test/new"]
    assert [(event.job_id, event.deliveries) for event in worker.events] == [("old", 2), ("new", 1)]


async def test_every_end_is_told_to_the_observer(line, client):
    push(client, "good", "http://a.test/1")
    push(client, "bad")
    client.xadd(JOBS, {"data": "nonsense"})
    worker = Worker(line.url, stop_when_idle_s=0.3)
    assert await worker.run()
    assert sorted(event.outcome for event in worker.events) == ["AI", "bad_job", "dead_letter"]


async def test_a_job_that_cannot_be_finished_stays_pending_for_another_try(line, client, monkeypatch):
    push(client, "once", "http://a.test/1")
    worker = Worker(line.url, lease_s=0.4)
    answering = JobProcessor.answer

    async def broken_once(self, job):
        if len(worker.fetched) == 0:
            worker.fetched.append("broken")
            raise RuntimeError("a bug outside every boundary")
        return await answering(self, job)

    monkeypatch.setattr(JobProcessor, "answer", broken_once)
    running = asyncio.create_task(worker.run())
    await until(lambda: client.xlen(RESULTS) == 1)
    worker.stop.set()
    await running
    assert json.loads(client.xrange(RESULTS)[0][1]["data"])["job_id"] == "once"
    assert [event.deliveries for event in worker.events] == [2]


async def test_abandoned_jobs_are_looked_for_every_third_of_a_lease_however_slow_redis_is(line, client):
    worker = Worker(line.url, block_ms=5000, lease_s=1.0)
    looks, reclaim = list[float](), worker.stream.reclaim

    async def slowly(count: int):
        looks.append(time.monotonic())
        await asyncio.sleep(0.05)
        return await reclaim(count)

    worker.stream.reclaim = slowly
    running = asyncio.create_task(worker.run())
    await until(lambda: len(looks) == 7)
    worker.stop.set()
    await running
    assert max(later - earlier for earlier, later in itertools.pairwise(looks)) < 0.8


async def test_a_stop_whose_cancelling_gets_lost_in_a_read_still_ends_the_run(line, client, monkeypatch):
    worker = Worker(line.url)
    read_new, reads = JobStream.read_new, []

    async def deaf(self, count, longest_ms):
        reads.append(count)
        try:
            return await read_new(self, count, longest_ms)
        except asyncio.CancelledError:
            if len(reads) > 3:
                raise
            return []

    monkeypatch.setattr(JobStream, "read_new", deaf)
    running = asyncio.create_task(worker.run())
    await until(lambda: reads)
    worker.stop.set()
    async with asyncio.timeout(10):
        assert await running
