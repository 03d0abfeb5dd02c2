"""Images that hang, crash or bloat the decoder, among good ones."""

import random
import sys
import time

import pytest

from tests.chaos import hostile_decoding
from tests.chaos.accounts import assert_exactly_once, push_jobs
from tests.chaos.supervisor import Supervisor
from tests.worker import web as pages
from tests.worker.processes import push

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EACH, GOOD, LIMIT_S = 4, 200, 2
COMPLAINTS = {
    "hang": f"Decoding the image took longer than {LIMIT_S} s.",
    "crash": "The decoder crashed on this image.",
    "bloat": "Decoding the image needs more than 256 MiB of memory.",
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_each_hostile_image_becomes_an_error_and_its_neighbours_are_well(client, web, settings, seed):
    """Two workers with two decoding processes each; a hang costs its process the time limit, and nobody else more."""
    limits = {
        "WORKER_DECODE_PROCESSES": "2",
        "WORKER_DECODE_TIMEOUT_S": str(LIMIT_S),
        "WORKER_DECODE_MEMORY_MB": "256",
    }
    marks = {"hang": hostile_decoding.HANG, "crash": hostile_decoding.CRASH, "bloat": hostile_decoding.BLOAT}
    hostile = [(kind, number) for kind in marks for number in range(EACH)]
    random.Random(seed).shuffle(hostile)
    jobs = set[str]()
    module = "tests.chaos.run_hostile_worker"
    with Supervisor(settings | limits, ["one", "two"], module=module) as supervisor:
        supervisor.until_ready()
        started = time.monotonic()
        for place, (kind, number) in enumerate(hostile):
            share = GOOD // len(hostile)
            jobs |= push_jobs(client, web, range(place * share, (place + 1) * share))
            web.pages[f"/{kind}{number}.jpg"] = pages.photo(number) + marks[kind]
            push(client, f"{kind} {number}", f"{web.url}/{kind}{number}.jpg")
            jobs.add(f"{kind} {number}")
        found = assert_exactly_once(client, jobs)
        took_s = time.monotonic() - started
        supervisor.stop_all()
    errors = {job_id: result["error"] for job_id, result in found.results.items() if result["status"] == "error"}
    assert found.dead_letters == {}
    assert errors == {
        f"{kind} {number}": {"code": "decode_failed", "message": COMPLAINTS[kind], "retryable": False}
        for kind, number in hostile
    }
    assert took_s <= 90, "even one process after another, with a new one each time, takes less"
