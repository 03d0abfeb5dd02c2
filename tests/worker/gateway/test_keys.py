"""API keys: needed where others can reach the gateway, and nobody sees another key's jobs."""

import json
from collections.abc import Iterator

import pytest
import redis

from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer, running_gateway
from tests.worker.processes import JOBS
from tests.worker.redis_server import RedisServer
from worker.streams.connections import connect
from worker.web.keys import Keys


@pytest.fixture
def gateway(client: "redis.Redis", redis_server: RedisServer) -> Iterator[GatewayServer]:
    with running_gateway(redis_server.url, web_host="0.0.0.0") as server:
        yield server


async def made(redis_server: RedisServer, name: str) -> str:
    connection = connect(redis_server.url)
    try:
        return await Keys(connection, JOBS).make(name)
    finally:
        await connection.aclose()


async def test_without_a_key_nothing_is_served_but_health(gateway: GatewayServer) -> None:
    for place in ("/", "/queue", "/v1/detectors", "/metrics", "/v1/events"):
        assert gateway.get(place).status == 401
    assert gateway.post_file("/v1/verdicts", pages.photo(1)).status == 401
    assert gateway.post_file("/v1/verdicts", pages.photo(1), X_API_Key="imgml_000000000000_" + "A" * 43).status == 401
    assert gateway.get("/healthz").status == 200


async def test_another_keys_job_and_batch_are_not_found(gateway: GatewayServer, redis_server: RedisServer) -> None:
    mine, other = await made(redis_server, "me"), await made(redis_server, "other")
    job = gateway.post_file("/v1/verdicts", pages.photo(1), X_API_Key=mine).headers["location"]
    batch = gateway.post_json("/v1/batches", {"image_urls": ["http://example.com/a.jpg"]}, X_API_Key=mine)
    for place in (job, f"{job}/maps", batch.headers["location"]):
        assert gateway.get(place, Authorization=f"Bearer {mine}").status == 200
        assert gateway.get(place, Authorization=f"Bearer {other}").status == 404


async def test_only_hashes_are_kept_and_a_revoked_key_is_refused(
    gateway: GatewayServer, redis_server: RedisServer, client: "redis.Redis"
) -> None:
    token = await made(redis_server, "me")
    (record,) = client.hgetall(f"{JOBS}:web:keys").values()
    assert token.rpartition("_")[2] not in record
    assert len(json.loads(record)["sha256"]) == 64
    connection = connect(redis_server.url)
    assert await Keys(connection, JOBS).revoke(token.split("_")[1])
    await connection.aclose()
    assert gateway.get("/v1/detectors", X_API_Key=token).status == 401


async def test_the_page_takes_the_key_into_a_cookie_that_scripts_and_other_sites_cannot_use(
    gateway: GatewayServer, redis_server: RedisServer
) -> None:
    token = await made(redis_server, "me")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = gateway.ask("POST", "/session", b"key=wrong", form)
    taken = gateway.ask("POST", "/session", f"key={token}".encode(), form)
    assert (refused.status, taken.status) == (401, 303)
    cookie = taken.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert gateway.get("/", Cookie=cookie.partition(";")[0]).status == 200
