"""Fixtures of the tests of the commands."""

from tests.fusion.conftest import artifact, cache, dataset, train
from tests.worker.fixtures import any_server, client, newer_redis_server, redis_server

__all__ = ["any_server", "artifact", "cache", "client", "dataset", "newer_redis_server", "redis_server", "train"]
