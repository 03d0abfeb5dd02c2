"""A running worker as probes, scrapers and its operator see it."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.worker.processes import DLQ, JOBS, ROOT, WorkerProcess, environment, push, results_of
from tests.worker.redis_server import RedisServer, embedded_executable, free_port, wait_until

QUEUE = f'{{stream="{JOBS}"}}'


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(redis_server, web, port) -> dict[str, str]:
    return {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place, "WORKER_HTTP_PORT": str(port)}


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body; status 0 where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_jobs_are_seen_in_the_metrics_and_draining_in_the_readiness(client, web, settings, port):
    push(client, "good", f"{web.url}/good.jpg")
    push(client, "gone", f"{web.url}/gone.jpg")
    client.xadd(JOBS, {"data": "nonsense"})
    with WorkerProcess(settings, "2.0") as worker:
        wait_until(lambda: get(port, "/readyz") == (200, "ready\n"), timeout=60)
        results_of(client, 2)
        wait_until(lambda: f"img_ml_stream_length{QUEUE} 0.0" in get(port, "/metrics")[1], timeout=20)
        status, text = get(port, "/metrics")
        assert status == 200
        for line in (
            'img_ml_jobs_total{outcome="fetch_failed"} 1.0',
            'img_ml_jobs_total{outcome="dead_letter"} 1.0',
            'img_ml_stage_seconds_count{stage="conclude"} 1.0',
            'img_ml_stage_seconds_count{stage="total"} 2.0',
            "img_ml_batch_size_sum 1.0",
            f"img_ml_stream_pending{QUEUE} 0.0",
            f"img_ml_dead_letters{QUEUE} 1.0",
            "img_ml_jobs_in_work 0.0",
            f"img_ml_redis_up{QUEUE} 1.0",
        ):
            assert line in text.splitlines(), line
        push(client, "last", f"{web.url}/good.jpg")
        wait_until(lambda: client.xpending(JOBS, "workers")["pending"] == 1)
        worker.signal(signal.SIGTERM)
        _, text = wait_until(lambda: (found := get(port, "/readyz"))[0] == 503 and found)
        assert "draining" in text
        assert get(port, "/livez") == (200, "alive\n")
        assert worker.ended() == 0
        assert get(port, "/livez")[0] == 0
    results_of(client, 3)


def test_a_worker_is_ready_once_redis_answers(tmp_path, port):
    server = RedisServer(embedded_executable(), tmp_path)
    with WorkerProcess({"REDIS_URL": server.url, "WORKER_HTTP_PORT": str(port)}) as worker:
        try:
            wait_until(lambda: get(port, "/livez")[0] == 200, timeout=60)
            assert get(port, "/readyz") == (503, "Redis has not answered yet.\n")
            assert 'img_ml_redis_up{stream="stream:ai:imageml:jobs"} 0.0' in get(port, "/metrics")[1]
            server.start()
            wait_until(lambda: get(port, "/readyz")[0] == 200)
            worker.signal(signal.SIGTERM)
            assert worker.ended() == 0
        finally:
            server.stop()


def test_an_engine_that_hangs_makes_the_worker_unready_and_its_first_answer_ready_again(client, web, settings, port):
    push(client, "slow", f"{web.url}/good.jpg")
    limits = {"WORKER_DECODE_TIMEOUT_S": "2", "FETCH_TIMEOUT_S": "1"}  # so 5 s without a finished job are a stall
    with WorkerProcess({**settings, **limits}, "9.0"):
        wait_until(lambda: get(port, "/readyz")[0] == 200, timeout=60)
        _, text = wait_until(lambda: (found := get(port, "/readyz"))[0] == 503 and found)
        assert text.startswith("No job was finished for ")
        assert get(port, "/livez")[0] == 200
        results_of(client, 1)
        wait_until(lambda: get(port, "/readyz")[0] == 200)


def test_a_port_that_is_taken_ends_in_a_sentence(client, settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [sys.executable, "-m", "worker"],
            env=environment(**settings | {"WORKER_HTTP_PORT": str(taken.getsockname()[1])}),
            cwd=ROOT, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
    assert done.returncode == 2
    assert "The worker cannot start: WORKER_HTTP_HOST and WORKER_HTTP_PORT cannot be listened on" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dead_letter_that_is_retried_is_answered(client, web, settings):
    job = json.dumps({"jobId": "again", "image_url": f"{web.url}/good.jpg"})
    client.xadd(DLQ, {"data": job, "entry_id": "1-1", "reason": "Delivered 5 times.", "deliveries": "6"})
    with WorkerProcess(settings):
        done = subprocess.run(
            [sys.executable, "-m", "worker", "dlq", "retry", "--all"],
            env=environment(**settings), cwd=ROOT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert results_of(client, 1)["again"]["status"] == "done"
    assert client.xlen(DLQ) == 0
