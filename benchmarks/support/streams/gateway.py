"""A gateway process on the benchmark's Redis, and the same uploads sent through it or put there by hand."""

import contextlib
import hashlib
import http.client
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.support.processes import BenchmarkError, Running, running
from benchmarks.support.streams.constant import JOBS
from benchmarks.support.streams.redis_server import PrivateRedis, free_port
from worker.fetching.uploads import SCHEME, upload_key

_KEEP_S = 3600


class GatewayProcess:
    """Where it listens, and its process."""

    def __init__(self, port: int, process: Running) -> None:
        self.process = process
        self._port = port

    def connection(self) -> http.client.HTTPConnection:
        """A connection that is kept for many requests."""
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)

    def ready(self) -> bool:
        """Whether it says that it is."""
        with contextlib.suppress(OSError), contextlib.closing(self.connection()) as connection:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False


@contextlib.contextmanager
def gateway(server: PrivateRedis) -> Iterator[GatewayProcess]:
    """`img-ml serve` without a worker for the time of the block; its limits are out of the way."""
    port = free_port()
    settings = {"REDIS_URL": server.url, "WEB_RATE": "1000000/second", "WEB_MAX_WAITING": "1000000"}
    command = [sys.executable, "-m", "scripts.command", "serve", "--no-worker", "--port", str(port)]
    with running(command, **settings) as process:
        found = GatewayProcess(port, process)
        process.until(found.ready, "the gateway", timeout_s=60)
        yield found


def post(connection: http.client.HTTPConnection, data: bytes, wait_s: int = 0) -> Any:
    """Send one image; the answer. With `wait_s` its verdict must come within that time."""
    connection.request("POST", f"/v1/verdicts?wait={wait_s}", data, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != (200 if wait_s else 202):
        raise BenchmarkError(f"The gateway answered with {answer.status}: {body[:500]!r}")
    return json.loads(body)


def put(server: PrivateRedis, data: bytes, number: int) -> None:
    """What the gateway does for an image, by hand: its bytes under a key, and a job that names them."""
    sha256 = hashlib.sha256(data).hexdigest()
    server.client.set(upload_key(JOBS, sha256), data, ex=_KEEP_S)
    job = {"jobId": f"job-{number:08d}", "clientId": "benchmark", "image_url": f"{SCHEME}{sha256}"}
    server.client.xadd(JOBS, {"data": json.dumps(job)})


def post_all(found: GatewayProcess, contents: Sequence[bytes], images: int, clients: int) -> list[threading.Thread]:
    """So many clients that send the images side by side; started, to be joined."""

    def send(first: int) -> None:
        with contextlib.closing(found.connection()) as connection:
            for number in range(first, images, clients):
                post(connection, contents[number % len(contents)])

    threads = [threading.Thread(target=send, args=(first,), daemon=True) for first in range(clients)]
    for thread in threads:
        thread.start()
    return threads
