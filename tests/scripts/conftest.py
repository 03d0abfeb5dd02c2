"""Fixtures of the tests of the commands."""

from tests.worker.fixtures import any_server, client, newer_redis_server, redis_server

__all__ = ["any_server", "client", "newer_redis_server", "redis_server"]
