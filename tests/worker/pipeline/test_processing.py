"""One job's answer: always one, and always JSON."""

import asyncio
import json
from dataclasses import replace

import pytest

from forensics.errors import NotAnImageError
from forensics.examine import Examined
from forensics.types import Evidence
from tests.worker.doubles import verdict_on
from worker.pipeline import processing as module
from worker.pipeline.processing import JobProcessor, Stages
from worker.streams.messages import Job

JOB = Job("j", "c", "http://a.test/x.jpg")


async def fetch(url: str) -> bytes:
    return b"bytes"


async def examine(data: bytes) -> Examined:
    return Examined(Evidence("ab" * 32, "image/png", 3, 2, ()))


async def conclude(examined: Examined):
    return verdict_on(examined)


def processor(max_decoded: int = 4, **other) -> JobProcessor:
    return JobProcessor(Stages(**{"fetch": fetch, "examine": examine, "conclude": conclude, **other}), max_decoded)


async def test_a_good_image_gets_its_verdict_with_timings():
    answer = await processor().answer(JOB)
    document = json.loads(answer.result)
    assert (document["status"], document["job_id"], document["client_id"]) == ("done", "j", "c")
    assert (document["image_url"], document["image_sha256"]) == ("http://a.test/x.jpg", "ab" * 32)
    assert document["label"] == answer.outcome == "AI"
    assert {"fetch", "examine", "conclude", "total"} <= document["timings_ms"].keys()


async def test_a_job_error_becomes_its_code():
    async def refuse(data: bytes) -> Examined:
        raise NotAnImageError("The bytes are no image.")

    answer = await processor(examine=refuse).answer(JOB)
    assert json.loads(answer.result)["error"] == {
        "code": "not_an_image", "message": "The bytes are no image.", "retryable": False,
    }  # fmt: skip
    assert answer.outcome == "not_an_image"


async def test_maps_are_drawn_for_jobs_that_ask_for_them_alone():
    drawn = []

    async def draw(job_id: str, examined: Examined, verdict) -> None:
        drawn.append((job_id, verdict.label))

    answering = processor(draw=draw)
    await answering.answer(JOB)
    assert drawn == []
    await answering.answer(replace(JOB, maps=True))
    assert drawn == [("j", "AI")]


@pytest.mark.parametrize("station", ["fetch", "examine", "conclude"])
async def test_an_unexpected_failure_is_an_internal_error_without_its_details(station):
    async def broken(_: object):
        raise KeyError("/secret/path")

    answer = await processor(**{station: broken}).answer(JOB)
    error = json.loads(answer.result)["error"]
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert "secret" not in answer.result


async def test_a_verdict_that_cannot_be_written_down_is_an_internal_error(monkeypatch):
    written = module.result_document

    def failing(outcome, **about):
        if not isinstance(outcome, module.InternalError):
            raise ValueError("nan")
        return written(outcome, **about)

    monkeypatch.setattr(module, "result_document", failing)
    assert json.loads((await processor().answer(JOB)).result)["error"]["code"] == "internal"


async def test_no_more_images_than_benches_are_held_decoded():
    held, most = 0, 0

    async def slow(examined: Examined):
        nonlocal held, most
        held, most = held + 1, max(most, held + 1)
        await asyncio.sleep(0.01)
        held -= 1
        return verdict_on(examined)

    crowd = processor(max_decoded=3, conclude=slow)
    await asyncio.gather(*(crowd.answer(JOB) for _ in range(20)))
    assert most == 3
