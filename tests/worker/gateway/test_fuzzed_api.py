"""Schemathesis over the OpenAPI document: whatever is sent, the gateway's own failure is never the answer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.worker.gateway.gateway_server import running_gateway
from tests.worker.redis_server import RedisServer

# The stream of events never ends, and 503 tells of a full queue, which the settings keep from happening.
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_that_is_sent_makes_the_gateway_fail(
    client: "redis.Redis", redis_server: RedisServer, tmp_path: Path
) -> None:
    pytest.importorskip("schemathesis")
    settings = {"web_rate": "1000000/second", "web_max_waiting": 10**9, "web_max_wait_s": 0.05, "web_body_s": 5}
    with running_gateway(redis_server.url, **settings) as gateway:
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.url}/openapi.json", "--checks", _CHECKS,
            "--exclude-path", "/v1/events", "--max-examples", "40", "--seed", "1", "--no-color",
        ]  # fmt: skip
        outcome = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]
    (generated,) = re.findall(r"(\d+) generated, \1 passed", outcome.stdout)
    assert int(generated) > 300
