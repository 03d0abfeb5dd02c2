"""The push command with a real worker behind it."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.worker import web as pages
from tests.worker.processes import JOBS, ROOT, WorkerProcess, environment
from tests.worker.redis_server import wait_until


@pytest.fixture
def web() -> Iterator[pages.Web]:
    with pages.running_web() as server:
        server.pages |= {f"/{n}.jpg": pages.photo(n) for n in range(3)}
        yield server


@pytest.fixture
def settings(redis_server, web) -> dict[str, str]:
    return {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place}


def push(settings: dict[str, str], *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "scripts.push", *arguments],
        env=environment(**settings), cwd=ROOT, input=text, capture_output=True, text=True, timeout=90,
    )  # fmt: skip


def test_verdicts_are_printed_one_json_line_each(client, web, settings):
    urls = [f"{web.url}/{n}.jpg" for n in range(3)]
    with WorkerProcess(settings):
        done = push(settings, *urls, "--client-id", "me")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert {answer["image_url"] for answer in answers} == set(urls)
    assert {(answer["status"], answer["client_id"]) for answer in answers} == {("done", "me")}


def test_an_error_result_gives_exit_code_1_and_urls_may_come_from_standard_input(client, web, settings):
    with WorkerProcess(settings):
        done = push(settings, "-", text=f"{web.url}/1.jpg\n\n{web.url}/missing.jpg\n")
    assert done.returncode == 1
    codes = sorted((json.loads(line)["error"] or {}).get("code", "") for line in done.stdout.splitlines())
    assert codes == ["", "fetch_failed"]


def test_without_a_worker_it_gives_up_with_exit_code_3(client, web, settings):
    done = push(settings, f"{web.url}/1.jpg", "--timeout", "0.3")
    assert (done.returncode, done.stdout) == (3, "")
    assert "1 of 1 jobs were not answered in time" in done.stderr


def test_without_waiting_it_prints_job_ids_and_leaves_the_jobs(client, web, settings):
    done = push(settings, f"{web.url}/1.jpg", f"{web.url}/2.jpg", "--no-wait")
    assert done.returncode == 0
    queued = [json.loads(fields["data"])["jobId"] for _, fields in client.xrange(JOBS)]
    assert done.stdout.splitlines() == queued


def test_usage_errors_and_an_unreachable_redis_give_exit_code_2():
    assert push({}).returncode == 2
    done = push({"REDIS_URL": "redis://127.0.0.1:1"}, "http://example.com/x.jpg")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Redis cannot be used: ")
    assert done.stderr.count("\n") == 1


def test_worker_and_push_meet_at_the_private_redis_in_either_order(web, tmp_path):
    settings = {"EMBEDDED_REDIS_DIR": str(tmp_path / "redis"), "FETCH_ALLOW": web.place}
    assert push(settings, f"{web.url}/1.jpg", "--no-wait").returncode == 0
    with WorkerProcess(settings, "0", "2") as worker:
        wait_until(lambda: "job answered" in worker.said() or worker.process.poll() is not None, timeout=60)
        done = push(settings, f"{web.url}/2.jpg")
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr
        assert worker.ended() == 0
    assert not (tmp_path / "redis" / "redis.pid").exists()
