"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.fusion.conftest import artifact, cache, dataset, logistic, train
from tests.worker import web as pages
from tests.worker.fixtures import any_server, client, newer_redis_server, redis_server
from tests.worker.receiver import Receiver, running_receiver
from tests.worker.redis_server import RedisServer

PHOTOS = 20

__all__ = [
    "any_server",
    "artifact",
    "cache",
    "client",
    "dataset",
    "logistic",
    "newer_redis_server",
    "redis_server",
    "train",
]


@pytest.fixture
def web() -> Iterator[pages.Web]:
    """A web server with different photographs: /0.jpg to /19.jpg, and /good.jpg."""
    with pages.running_web() as server:
        server.pages |= {f"/{n}.jpg": pages.photo(n) for n in range(PHOTOS)}
        server.pages["/good.jpg"] = pages.photo(1)
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes callbacks."""
    with running_receiver() as server:
        yield server


@pytest.fixture
def settings(redis_server: RedisServer, web: pages.Web) -> dict[str, str]:
    """A worker's settings to reach both servers by."""
    return {"REDIS_URL": redis_server.url, "FETCH_ALLOW": web.place}
