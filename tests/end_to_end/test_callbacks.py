"""Callbacks from real worker processes: each job that asks for one gets it, whatever dies."""

import base64
import hashlib
import hmac
import json
import signal
import time
from pathlib import Path

import pytest

from tests.worker import web as pages
from tests.worker.processes import JOBS, WorkerProcess, push, results_of
from tests.worker.redis_server import wait_until

CALLBACKS = f"{JOBS}:callbacks"


@pytest.fixture
def settings(redis_server, web, receiver) -> dict[str, str]:
    return {
        "REDIS_URL": redis_server.url,
        "FETCH_ALLOW": web.place,
        "CALLBACK_ALLOW": receiver.place,
        "CALLBACK_SECRET": "s3cret",
        "CALLBACK_RETRY_S": "0.2",
        "CALLBACK_TIMEOUT_S": "2",
    }


def all_delivered(client) -> bool:
    return client.xlen(CALLBACKS) == 0 and client.zcard(f"{CALLBACKS}:waiting") == 0


def test_a_job_as_the_backend_writes_it_is_called_back_with_a_valid_signature(client, web, receiver, settings):
    more = {"type": "image", "image_hash": "abc", "STREAM_KEY": JOBS, "retry": 0, "callback_url": receiver.url}
    push(client, "good", f"{web.url}/1.jpg", **more)
    push(client, "gone", f"{web.url}/gone.jpg", **more)
    push(client, "silent", f"{web.url}/2.jpg")
    with WorkerProcess(settings) as worker:
        found = results_of(client, 3)
        wait_until(lambda: len(receiver.taken) == 2 and all_delivered(client))
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
    by_job = {posted.content["jobId"]: posted for posted in receiver.posted}
    assert by_job.keys() == {"good", "gone"}
    for posted in by_job.values():
        signed = posted.headers["X-Img-Ml-Timestamp"].encode() + b"." + posted.body
        expected = hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert posted.headers["X-Img-Ml-Signature"] == f"sha256={expected}"
    good = by_job["good"].content
    verdict = found["good"]
    assert good["mark"] == {"AI": "AI", "NON-AI": "NONAI"}[verdict["label"]]
    assert good["confidence"] == round(100 * verdict["confidence"], 2)
    assert good["reason"] == " ".join(verdict["reasoning"])
    assert (good["clientId"], good["image_hash"], good["retry"]) == ("test", "abc", False)
    gone = by_job["gone"].content
    assert (gone["mark"], gone["reason"]) == ("ERROR", found["gone"]["error"]["message"])


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system shows no environments")
def test_decoding_processes_inherit_no_secrets(client, web, settings):
    push(client, "good", f"{web.url}/1.jpg")
    with WorkerProcess(settings) as worker:
        results_of(client, 1)
        children = [
            int(folder.name)
            for folder in Path("/proc").iterdir()
            if folder.name.isdigit() and f" {worker.process.pid} {worker.process.pid} " in (folder / "stat").read_text()
        ]
        environments = [Path(f"/proc/{one}/environ").read_bytes() for one in children if one != worker.process.pid]
    assert environments
    assert not [one for one in environments if b"s3cret" in one or b"REDIS_URL" in one]


def test_a_callback_may_be_an_event_signed_as_standard_webhooks(client, web, receiver, settings):
    settings |= {
        "CALLBACK_FORMAT": "cloudevents",
        "CALLBACK_SIGNATURE": "standard",
        "CALLBACK_SECRET": "whsec_" + base64.b64encode(b"k" * 32).decode(),
    }
    receiver.reply = pages.status(200)
    entry = push(client, "good", f"{web.url}/1.jpg", callback_url=receiver.url)
    with WorkerProcess(settings):
        wait_until(lambda: len(receiver.posted) == 1 and all_delivered(client))
    (posted,) = receiver.posted
    assert (posted.content["id"], posted.content["subject"]) == (entry, "good")
    assert posted.content["data"]["fingerprint"] == results_of(client, 1)["good"]["model"]["fingerprint"]
    headers = {name.lower(): value for name, value in posted.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_a_receiver_in_trouble_gets_each_job_once_when_it_is_well(client, web, receiver, settings):
    receiver.replies = [pages.status(500)] * 15 + [lambda handler: time.sleep(2.5)] * 3
    for n in range(20):
        push(client, f"job {n}", f"{web.url}/{n}.jpg", callback_url=receiver.url)
    with WorkerProcess(settings), WorkerProcess(settings):
        results_of(client, 20)
        wait_until(lambda: len(receiver.taken) >= 20 and all_delivered(client), timeout=60)
    assert sorted(receiver.taken) == sorted(f"job {n}" for n in range(20))


def test_a_callback_whose_worker_was_killed_before_it_was_taken_is_delivered_by_another(
    client, web, receiver, settings
):
    receiver.replies = [lambda handler: time.sleep(5)] * 3
    for n in range(3):
        push(client, f"job {n}", f"{web.url}/{n}.jpg", callback_url=receiver.url)
    with WorkerProcess(settings | {"CALLBACK_TIMEOUT_S": "60"}) as first:
        results_of(client, 3)
        wait_until(lambda: len(receiver.posted) == 3)
        first.kill()
    assert receiver.taken == []
    with WorkerProcess(settings) as second:
        second.until_ready()
        started = time.monotonic()
        wait_until(lambda: len(receiver.taken) == 3 and all_delivered(client))
        assert time.monotonic() - started < 5
        # The verdict that comes a second time is the very same one.
        bodies = {posted.body for posted in receiver.posted}
        assert len(bodies) == 3
    assert {json.loads(body)["jobId"] for body in bodies} == {"job 0", "job 1", "job 2"}


def test_a_worker_told_to_stop_finishes_the_callback_it_is_posting(client, web, receiver, settings):
    def slowly(handler) -> None:
        time.sleep(1)
        pages.answer(handler, b"{}")

    receiver.replies = [slowly]
    push(client, "last", f"{web.url}/1.jpg", callback_url=receiver.url)
    with WorkerProcess(settings) as worker:
        wait_until(lambda: receiver.posted, timeout=60)
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
        assert all_delivered(client)
    assert len(receiver.posted) == 1
