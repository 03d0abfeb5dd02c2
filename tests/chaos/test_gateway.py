"""A thousand uploads at once, and kill -9 of the worker and of the gateway in the middle of them."""

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.accounts import assert_exactly_once
from tests.chaos.supervisor import Supervisor
from tests.worker import web as pages
from tests.worker.processes import ROOT, environment
from tests.worker.redis_server import RedisServer, free_port, wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

UPLOADS = 1000
BYTES = 600_000
# What a thousand connections may hold that wait for their turn; all uploads together are twice as much.
MOST_GROWTH_MIB = 1000 * 320 / 1024


class GatewayProcess:
    """`img-ml serve` beside a worker that runs elsewhere; started again on the same port after a kill."""

    def __init__(self, redis_url: str) -> None:
        self.port = free_port()
        self._environment = environment(REDIS_URL=redis_url, WEB_RATE="1000000/second", WEB_IMAGE_KEEP_S="0")
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "scripts.command", "serve", "--no-worker", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=self._environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        wait_until(self.ready, timeout=60)
        self._at_rest = self._memory_mib("VmRSS")

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def growth_mib(self) -> float:
        """The most memory that the process has had, over what it had when it was ready."""
        return self._memory_mib("VmHWM") - self._at_rest

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _memory_mib(self, name: str) -> float:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        assert found
        return int(found[1]) / 1024


@pytest.fixture
def gateway(client, server: RedisServer) -> Iterator[GatewayProcess]:
    started = GatewayProcess(server.url)
    yield started
    started.kill()


async def test_every_upload_that_is_accepted_is_answered_whoever_is_killed(client, gateway, settings, seed):
    with Supervisor(settings, ["worker"]) as supervisor:
        supervisor.until_ready()
        sending = [asyncio.create_task(upload(gateway.port, number)) for number in range(UPLOADS)]
        await accepted(sending, UPLOADS // 5)
        supervisor.workers["worker"].kill()
        await asyncio.to_thread(supervisor.start, "worker")
        await accepted(sending, UPLOADS // 2)
        grown = [gateway.growth_mib()]
        unsent = sum(not task.done() for task in sending)
        gateway.kill()
        await asyncio.to_thread(gateway.start)
        sent = await asyncio.gather(*sending)
        job_ids = {job_id for job_id, _ in sent}
        found = await asyncio.to_thread(assert_exactly_once, client, job_ids)
        grown.append(gateway.growth_mib())
        for job_id in job_ids:
            status, answer = await ask(gateway.port, "GET", f"/v1/verdicts/{job_id}?wait=20")
            assert (status, answer["status"]) == (200, "done")
        supervisor.stop_all()
    assert len(job_ids) == UPLOADS
    assert found.statuses == {"done": UPLOADS}
    assert {status for _, statuses in sent for status in statuses} <= {202, 429, 503}
    assert unsent > 0, "the gateway had nothing left to lose when it was killed"
    assert max(grown) < MOST_GROWTH_MIB, f"the gateway grew by {grown} MiB"
    print(f"\n{unsent} not yet accepted at the kill; refusals {sum(len(s) - 1 for _, s in sent)}; growth {grown} MiB")


async def accepted(sending: "list[asyncio.Task[tuple[str, list[int]]]]", count: int) -> None:
    """Until so many of the uploads were accepted."""
    waiting = {task for task in sending if not task.done()}
    async with asyncio.timeout(120):
        while len(sending) - len(waiting) < count:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


async def upload(port: int, number: int) -> tuple[str, list[int]]:
    """Send one image until it is accepted, under one idempotency key; its job id, and the status of each answer."""
    data = pages.photo(number % 20) + number.to_bytes(4, "big") + bytes(BYTES)
    statuses = []
    while True:
        try:
            status, answer = await ask(port, "POST", "/v1/verdicts", data, f"upload {number}")
        except (OSError, EOFError):
            await asyncio.sleep(0.2)  # the gateway was killed
            continue
        statuses.append(status)
        if status == 202:
            return answer["job_id"], statuses
        assert status in (429, 503), answer
        await asyncio.sleep(1)


async def ask(port: int, method: str, path: str, body: bytes = b"", once: str = ""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nConnection: close\r\n"
        head += f"Idempotency-Key: {once}\r\n" if once else ""
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
    told, _, content = answer.partition(b"\r\n\r\n")
    if not content:
        raise EOFError
    status = int(told.split(b" ", 2)[1])
    # Beyond WEB_CONNECTIONS the server itself answers, in plain text.
    return status, json.loads(content) if b"json" in told else content
