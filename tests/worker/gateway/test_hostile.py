"""Senders who mean harm: large bodies, bombs, guessed ids; each is refused or harmless, and the gateway goes on."""

import http.client
import resource
import socket
import uuid
from collections.abc import Iterator

import pytest
import redis

from tests.worker import web as pages
from tests.worker.gateway.gateway_server import GatewayServer, running_gateway
from tests.worker.processes import JOBS
from tests.worker.redis_server import RedisServer

MEGABYTE = 1024 * 1024


@pytest.fixture
def gateway(client: "redis.Redis", redis_server: RedisServer) -> Iterator[GatewayServer]:
    with running_gateway(redis_server.url) as server:
        yield server


def head(kind: str, length: str) -> bytes:
    return f"POST /v1/verdicts HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()


def test_a_body_of_50_mb_is_refused_before_it_is_sent(gateway: GatewayServer, client: "redis.Redis") -> None:
    for kind in ("image/jpeg", "multipart/form-data; boundary=b"):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
            connection.sendall(head(kind, f"Content-Length: {50 * MEGABYTE}"))
            assert b" 413 " in connection.recv(200)
    assert client.xlen(JOBS) == 0


def test_a_body_of_50_mb_that_does_not_tell_its_length_is_cut_off_at_the_limit(gateway: GatewayServer) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b"x" * MEGABYTE)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(head("image/jpeg", "Transfer-Encoding: chunked"))
        try:
            for _ in range(50):
                connection.sendall(chunk)
        except ConnectionError:
            pass  # cut off while it was still sending
        else:
            assert b" 413 " in connection.recv(200)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 100
    assert gateway.get("/healthz").status == 200


@pytest.mark.slow
def test_ten_thousand_guessed_ids_find_nothing(gateway: GatewayServer) -> None:
    known = gateway.post_file("/v1/verdicts", pages.photo(1)).json["job_id"]
    near = [f"{known[:-4]}{n:04x}" for n in range(5000) if f"{known[:-4]}{n:04x}" != known]
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    statuses = set()
    for guessed in near + [str(uuid.uuid4()) for _ in range(10_000 - len(near))]:
        connection.request("GET", f"/v1/verdicts/{guessed}")
        answer = connection.getresponse()
        answer.read()
        statuses.add(answer.status)
    connection.close()
    assert statuses == {404}
    assert gateway.get(f"/v1/verdicts/{known}").status == 200
