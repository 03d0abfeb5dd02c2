"""`img-ml serve` as a process: one command is the whole system, and ends with everything that it started."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer
from tests.worker.processes import ROOT, environment
from tests.worker.redis_server import free_port, wait_until


@pytest.mark.timeout(300)
def test_one_command_judges_an_upload_and_leaves_nothing_running(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "redis"
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.command", "serve", "--port", str(port)],
        env=environment(EMBEDDED_REDIS_DIR=str(folder)), cwd=ROOT, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or is_ready(port), timeout=120)
        answer = GatewayServer(port).post_file("/v1/verdicts?wait=60", pages.photo(1))
        assert (answer.status, answer.json["status"]) == (200, "done")
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert not (folder / "redis.pid").exists()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
