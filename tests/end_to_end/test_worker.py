"""The worker as a process: jobs in, one result each out, whatever the job."""

import json
import signal

from tests.worker import web as pages
from tests.worker.processes import DLQ, JOBS, RESULTS, WorkerProcess, push, results_of
from tests.worker.redis_server import wait_until


def test_every_hostile_job_gets_its_code_and_the_neighbours_get_verdicts(client, web, settings):
    photo = pages.photo(3)
    web.pages |= {
        "/cut.jpg": photo[: len(photo) // 2],
        "/pixel.png": pages.photo(4, (1, 1), "PNG"),
        "/moving.gif": pages.animated_gif(),
        "/tiny.jpg": b"\xff\xd8\xff\xe0" + b"\0" * 16,
        "/bomb.png": pages.png_bomb(),
        "/page.jpg": b"<!doctype html><title>Sign in</title>",
        "/empty.jpg": b"",
        "/drip.jpg": pages.drip(photo),
        "/short.jpg": pages.lying_length(photo[:100], len(photo)),
        "/large.jpg": b"\xff\xd8\xff" + b"x" * 2_100_000,
        "/endless.jpg": pages.endless,
        "/down.jpg": pages.status(503),
        "/poison.png": pages.photo(5, (666, 40), "PNG"),
    }
    expected = {
        "/cut.jpg": {"decode_failed"},
        "/tiny.jpg": {"decode_failed", "not_an_image"},
        "/bomb.png": {"too_many_pixels"},
        "/page.jpg": {"not_an_image"},
        "/empty.jpg": {"not_an_image"},
        "/drip.jpg": {"fetch_failed"},
        "/short.jpg": {"fetch_failed"},
        "/large.jpg": {"too_large"},
        "/endless.jpg": {"too_large"},
        "/down.jpg": {"fetch_failed"},
        "/gone.jpg": {"fetch_failed"},
        "/poison.png": {"internal"},
        "/pixel.png": {None},
        "/moving.gif": {None},
    }
    others = {
        "file": ("file:///etc/hostname", "blocked_url"),
        "path": ("/etc/hostname", "bad_job"),
        "none": (None, "bad_job"),
        "number": (17, "bad_job"),
        "metadata": ("http://169.254.169.254/latest/meta-data/", "blocked_url"),
        "loopback": ("http://127.0.0.1/x.jpg", "blocked_url"),
        "port": ("http://example.com:6379/", "blocked_url"),
    }
    for path in expected:
        push(client, path, web.url + path)
        push(client, f"neighbour of {path}", f"{web.url}/good.jpg?{path}")
    for name, (url, _) in others.items():
        push(client, name, url)
    limits = {"FETCH_MAX_BYTES": "2000000", "FETCH_TIMEOUT_S": "3", "FETCH_MAX_PIXELS": "100000000"}
    with WorkerProcess(settings | limits) as worker:
        found = results_of(client, len(expected) * 2 + len(others))
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0
    codes = {job: (result["error"] or {}).get("code") for job, result in found.items()}
    assert {path: codes[path] in allowed for path, allowed in expected.items()} == dict.fromkeys(expected, True), codes
    assert {name: codes[name] for name in others} == {name: code for name, (_, code) in others.items()}
    assert {codes[f"neighbour of {path}"] for path in expected} == {None}
    assert found["/down.jpg"]["error"]["retryable"]
    assert not found["/gone.jpg"]["error"]["retryable"]


def test_messages_nobody_could_be_answered_become_dead_letters_with_a_reason(client, settings, web):
    entries = [
        client.xadd(JOBS, {"data": "this is not JSON"}),
        client.xadd(JOBS, {"data": json.dumps({"image_url": "http://example.com/x.jpg"})}),
        client.xadd(JOBS, {"something": "else"}),
    ]
    push(client, "good", f"{web.url}/good.jpg")
    with WorkerProcess(settings):
        results_of(client, 1)
        wait_until(lambda: client.xlen(DLQ) == 3)
    # They are buried side by side, in any order.
    letters = {letter["entry_id"]: letter for _, letter in client.xrange(DLQ)}
    assert [letters[entry]["reason"] for entry in entries] == [
        "The field data is not JSON.",
        *["The jobId must be a text of 1 to 512 characters."] * 2,
    ]
    assert letters[entries[0]]["data"] == "this is not JSON"


def test_plain_fields_and_numeric_ids_work_too(client, settings, web):
    client.xadd(JOBS, {"jobId": "plain", "clientId": "c", "image_url": f"{web.url}/good.jpg"})
    client.xadd(JOBS, {"data": json.dumps({"jobId": 7, "clientId": 8, "image_url": f"{web.url}/good.jpg"})})
    with WorkerProcess(settings):
        found = results_of(client, 2)
    assert (found["plain"]["status"], found["plain"]["client_id"]) == ("done", "c")
    assert (found["7"]["status"], found["7"]["client_id"]) == ("done", "8")


def test_a_job_that_killed_its_workers_becomes_a_dead_letter(client, settings, web):
    entry = push(client, "poison", f"{web.url}/good.jpg")
    client.xgroup_create(JOBS, "workers", "0")
    client.xreadgroup("workers", "dead worker", {JOBS: ">"})
    client.xclaim(JOBS, "workers", "dead worker", 0, [entry], idle=60_000, retrycount=5, justid=True)
    with WorkerProcess(settings | {"WORKER_MAX_DELIVERIES": "5"}):
        wait_until(lambda: client.xlen(DLQ) == 1, timeout=60)
    letter = client.xrange(DLQ)[0][1]
    assert json.loads(letter["data"])["jobId"] == "poison"
    assert (letter["deliveries"], letter["reason"]) == ("6", "Delivered 5 times and never finished.")
    assert client.xlen(RESULTS) == client.xlen(JOBS) == 0


def test_it_ends_by_itself_once_the_stream_stays_empty(client, settings, web):
    push(client, "only", f"{web.url}/good.jpg")
    with WorkerProcess(settings, "0", "0.5") as worker:
        assert worker.ended(60) == 0
    assert results_of(client, 1)["only"]["status"] == "done"


def test_a_flushed_redis_does_not_stop_it(client, settings, web):
    with WorkerProcess(settings) as worker:
        worker.until_ready()
        push(client, "before", f"{web.url}/good.jpg")
        results_of(client, 1)
        client.flushall()
        push(client, "after", f"{web.url}/good.jpg")
        results_of(client, 1)
        client.xgroup_destroy(JOBS, "workers")
        push(client, "later", f"{web.url}/good.jpg")
        results_of(client, 2)
        assert worker.process.poll() is None
