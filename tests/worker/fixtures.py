"""Redis fixtures for every test that talks to one: a private server per session, flushed per test."""

import os
import shutil
from collections.abc import Iterator

import pytest
import redis

from tests.worker.redis_server import RedisServer, embedded_executable, newer_executable


def _server(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(executable, tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The embedded server, or the one IMG_ML_TEST_REDIS names."""
    executable = os.environ.get("IMG_ML_TEST_REDIS") or embedded_executable()
    found = shutil.which(executable)
    assert found, f"IMG_ML_TEST_REDIS names no executable: {executable}"
    yield from _server(found, tmp_path_factory)


@pytest.fixture(scope="session")
def newer_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    executable = newer_executable()
    if executable is None:
        pytest.skip("no redis-server >= 7 on PATH")
    yield from _server(executable, tmp_path_factory)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """A client of the flushed server."""
    with redis_server.client() as connection:
        connection.flushall()
        yield connection


@pytest.fixture(params=["embedded", "newer"])
def any_server(request: pytest.FixtureRequest) -> RedisServer:
    """Each kind of server in turn, flushed."""
    name = "redis_server" if request.param == "embedded" else "newer_redis_server"
    server: RedisServer = request.getfixturevalue(name)
    with server.client() as connection:
        connection.flushall()
    return server
