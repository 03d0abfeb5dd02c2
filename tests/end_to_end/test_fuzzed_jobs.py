"""Ten thousand damaged files through one real worker: each is answered once, and nothing dies or hangs."""

import json
import re
import time
from collections import Counter

import jsonschema
import pytest

from tests.worker import web as pages
from tests.worker.mutations import mutant
from tests.worker.processes import DLQ, JOBS, RESULTS, ROOT, WorkerProcess, results_of
from tests.worker.redis_server import wait_until

# Nothing is killed here, so this is not chaos; it only takes minutes.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

COUNT = 10_000
# The default run fuzzes with the numbers before.
FIRST = 1_000_000
EXPECTED = {"decode_failed", "not_an_image", "too_many_pixels"}
DECODE_TIMEOUT_S, GRACE_S = 10.0, 15.0


@pytest.fixture
def web(web: pages.Web) -> pages.Web:
    def serving(number: int):
        return lambda handler: pages.answer(handler, mutant(number).data)

    web.pages |= {f"/{n}": serving(n) for n in range(FIRST, FIRST + COUNT)}
    return web


def push_all(client, web: pages.Web) -> None:
    with client.pipeline(transaction=False) as pipe:
        for n in range(FIRST, FIRST + COUNT):
            pipe.xadd(JOBS, {"data": json.dumps({"jobId": str(n), "image_url": f"{web.url}/{n}"})})
        pipe.execute()


def longest_silence(client, worker: WorkerProcess) -> float:
    """Seconds between two results at most, watched until all are there or none has come for much too long."""
    longest, since, count = 0.0, time.monotonic(), 0
    while count < COUNT and worker.process.poll() is None and longest < 2 * (DECODE_TIMEOUT_S + GRACE_S):
        time.sleep(0.05)
        longest = max(longest, time.monotonic() - since)
        if (now := client.xlen(RESULTS)) > count:
            count, since = now, time.monotonic()
    return longest


def documented_codes() -> set[str]:
    table = (ROOT / "docs" / "wire_format.md").read_text(encoding="utf-8").partition("## Error codes")[2]
    return set(re.findall(r"^\| `(\w+)` \|", table.partition("\n## ")[0], re.M))


def test_ten_thousand_damaged_files_are_each_answered_once_by_one_process(client, redis_server, web, tmp_path):
    schema = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/schema/verdict.schema.json").read_text()))
    settings = {
        "REDIS_URL": redis_server.url,
        "FETCH_ALLOW": web.place,
        "WORKER_DECODE_TIMEOUT_S": str(DECODE_TIMEOUT_S),
        "WORKER_DECODE_PROCESSES": "2",
        "WORKER_LEASE_S": "15",
    }
    with WorkerProcess(settings, module="worker") as worker:
        worker.until_ready()
        push_all(client, web)
        started = time.monotonic()
        silence = longest_silence(client, worker)
        spent = time.monotonic() - started
        assert worker.process.poll() is None, worker.said()[-5000:]
        found = results_of(client, COUNT)
        wait_until(lambda: client.xpending(JOBS, "workers")["pending"] == 0)
        said = worker.said()
    outcomes = Counter((result["error"] or {}).get("code", result["label"]) for result in found.values())
    slowest = max(result["timings_ms"].get("examine", 0) for result in found.values()) / 1000
    print(f"{COUNT} files in {spent:.0f} s: {dict(outcomes)}; slowest {slowest:.1f} s, longest silence {silence:.1f} s")
    for job in (job for job, result in found.items() if result["error"] and result["error"]["code"] not in EXPECTED):
        (tmp_path / job).write_bytes(mutant(int(job)).data)  # the signed files differ in every run
    assert set(found) == {str(n) for n in range(FIRST, FIRST + COUNT)}
    assert documented_codes() >= EXPECTED
    assert outcomes.keys() - {"AI", "NON-AI", "UNCERTAIN"} == EXPECTED, outcomes
    assert max(slowest, silence) < DECODE_TIMEOUT_S + GRACE_S, outcomes
    told = [result["error"]["message"] for result in found.values() if result["error"]]
    assert not [message for message in told if "crashed" in message or "takes" in message], outcomes
    assert client.xlen(DLQ) == 0
    assert "decoding process" not in said
    assert "Traceback" not in said
    for result in found.values():
        schema.validate(result)
        assert not [s for s in result["skipped"] if "failed" in str(s)], mutant(int(result["job_id"])).name
