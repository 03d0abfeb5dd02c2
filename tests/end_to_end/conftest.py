"""Fixtures of the end-to-end tests."""

from tests.fusion.conftest import artifact, cache, dataset, logistic, train
from tests.worker.fixtures import any_server, client, newer_redis_server, redis_server

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
