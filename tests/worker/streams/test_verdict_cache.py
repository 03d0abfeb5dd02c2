"""Known verdicts: found by the same bytes and the same model only, and never in the way."""

import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from forensics.examine import Examined
from forensics.types import Evidence, Skipped
from fusion.output.result import result_document
from tests.worker.doubles import verdict_on
from worker.pipeline.processing import JobProcessor, Stages
from worker.streams.messages import Job
from worker.streams.verdict_cache import VerdictCache

DATA = b"the bytes of an image"
SHA256 = hashlib.sha256(DATA).hexdigest()
FINGERPRINT = "0" * 64


class Road:
    """The stations of an answerer, counted."""

    def __init__(self, signals: tuple = ()) -> None:
        self.examined = 0
        self.signals = signals

    async def fetch(self, url: str) -> bytes:
        return DATA

    async def examine(self, data: bytes) -> Examined:
        self.examined += 1
        return Examined(Evidence(hashlib.sha256(data).hexdigest(), "image/png", 3, 2, self.signals))

    async def conclude(self, examined: Examined):
        return verdict_on(examined)

    def processor(self, memory: VerdictCache) -> JobProcessor:
        return JobProcessor(Stages(self.fetch, self.examine, self.conclude), 4, memory)


async def unwritable(examined: Examined):
    return replace(verdict_on(examined), label="AI", confidence=2.0)


class Model:
    fingerprint = FINGERPRINT


@pytest.fixture
async def opened(redis_server, client) -> AsyncIterator:
    caches = []

    def open_one(configuration: str = "c", keep_s: float = 60, url: str = redis_server.url) -> VerdictCache:
        caches.append(
            VerdictCache(
                url, "verdicts", configuration=configuration, fingerprint=lambda: Model.fingerprint, keep_s=keep_s
            )
        )
        return caches[-1]

    yield open_one
    for cache in caches:
        await cache.close()


def job(number: int) -> Job:
    return Job(f"job {number}", f"client {number}", f"http://a.test/{number}.jpg")


async def test_a_job_that_asks_for_maps_is_judged_anew(opened):
    road = Road()
    answerer = road.answerer(opened())
    await answerer.answer(job(1))
    assert not (await answerer.answer(replace(job(2), maps=True))).reused
    assert road.examined == 2


async def test_the_same_bytes_are_judged_once_and_answered_as_each_job_asks(opened):
    road = Road()
    processor = road.processor(opened())
    first, second = [await processor.answer(job(number)) for number in range(2)]
    assert road.examined == 1
    assert (first.reused, second.reused) == (False, True)
    one, two = json.loads(first.result), json.loads(second.result)
    assert (two["job_id"], two["client_id"], two["image_url"]) == ("job 1", "client 1", "http://a.test/1.jpg")
    own = ("job_id", "client_id", "image_url", "timings_ms")
    assert {k: v for k, v in one.items() if k not in own} == {k: v for k, v in two.items() if k not in own}
    assert second.outcome == first.outcome == one["label"]
    assert set(two["timings_ms"]) == {"fetch", "total"}


async def test_another_model_or_another_configuration_judges_anew(opened, monkeypatch):
    road = Road()
    await road.processor(opened()).answer(job(0))
    await road.processor(opened("another")).answer(job(1))
    assert road.examined == 2
    monkeypatch.setattr(Model, "fingerprint", "1" * 64)
    await road.processor(opened()).answer(job(2))
    assert road.examined == 3


async def test_a_verdict_is_kept_under_the_artifact_that_made_it(opened, client, monkeypatch):
    monkeypatch.setattr(Model, "fingerprint", "1" * 64)  # taken while the image was judged by the one before
    await Road().processor(opened()).answer(job(0))
    assert client.keys("verdicts:*") == [f"verdicts:{FINGERPRINT}:c:{SHA256}"]


async def test_a_verdict_that_a_failing_detector_made_poorer_is_not_kept(opened, client):
    for signal, kept in (
        (Skipped.broken("noise", "out of memory"), 0),
        (Skipped("noise", "the image is too small"), 1),
    ):
        await Road((signal,)).processor(opened()).answer(job(0))
        assert client.dbsize() == kept


async def test_a_verdict_that_cannot_be_written_down_is_not_kept(opened, client):
    road = Road()
    road.conclude = lambda examined: unwritable(examined)
    answer = await road.processor(opened()).answer(job(0))
    assert (answer.outcome, json.loads(answer.result)["status"]) == ("AI", "error")
    assert client.dbsize() == 0


async def test_what_is_kept_names_no_job(opened, client):
    await Road().processor(opened()).answer(job(7))
    kept = json.loads(client.get(f"verdicts:{FINGERPRINT}:c:{SHA256}"))
    assert (kept["job_id"], kept["client_id"], kept["image_url"], kept["timings_ms"]) == (None, None, None, {})


async def test_it_is_forgotten_after_its_time(opened, client):
    cache = opened(keep_s=0.1)
    verdict = verdict_on(Examined(Evidence(SHA256, "image/png", 3, 2, ())))
    await cache.keep(verdict, result_document(verdict))
    assert client.dbsize() == 1
    deadline = time.monotonic() + 5
    while await cache.find(DATA) is not None:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("found", ["no json", "{}", '{"status": "error"}', "\x00"])
async def test_what_somebody_else_wrote_there_is_no_verdict(opened, client, found):
    road = Road()
    client.set(f"verdicts:{FINGERPRINT}:c:{SHA256}", found)
    answer = await road.processor(opened()).answer(job(0))
    assert (road.examined, answer.reused) == (1, False)


async def test_without_redis_everything_is_judged(opened):
    road = Road()
    processor = road.processor(opened(url="redis://127.0.0.1:1"))
    assert [(await processor.answer(job(number))).reused for number in range(2)] == [False, False]
    assert road.examined == 2


async def test_a_redis_that_did_not_answer_is_left_alone_for_a_while(opened, client, monkeypatch):
    cache, asked = opened(), list[int]()

    async def away(key: str) -> bytes:
        asked.append(1)
        raise ConnectionError(key)

    monkeypatch.setattr(cache._client, "get", away)
    for _ in range(3):
        assert await cache.find(DATA) is None
    assert len(asked) == 1
    monkeypatch.setattr(cache, "_silent_until", 0.0)
    await cache.find(DATA)
    assert len(asked) == 2
