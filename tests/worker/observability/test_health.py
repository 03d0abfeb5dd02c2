"""The small HTTP server against probes and against clients that mean no good."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from tests.worker.redis_server import wait_until
from worker.errors import StartError
from worker.observability import health
from worker.observability.health import HealthServer, Reply


async def _hello() -> Reply:
    return Reply(HTTPStatus.OK, b"hello\n")


async def _large() -> Reply:
    return Reply(HTTPStatus.OK, b"x" * 20_000_000)


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    server = HealthServer({"/hello": _hello, "/large": _large})
    await server.start("127.0.0.1", 0)
    yield server
    await server.close()


class Clients:
    """Connections to the server; all of them are closed in the end."""

    def __init__(self, server: HealthServer) -> None:
        self.server = server
        self.writers: list[asyncio.StreamWriter] = []

    async def one(self, **options: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, **options)
        self.writers.append(writer)
        return reader, writer

    async def asked(self, request: bytes) -> bytes:
        reader, writer = await self.one()
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    async def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def clients(server) -> AsyncIterator[Clients]:
    clients = Clients(server)
    yield clients
    await clients.close()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_a_probe_gets_its_answer_and_the_end_of_the_connection(server, clients):
    head, _, body = (await clients.asked(get("/hello?now"))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 6" in head
    assert b"Connection: close" in head
    assert body == b"hello\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/other"), b"404"),
        (b"POST /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"HEAD /hello HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /hello HTTP/2\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET /hello HTTP/1.1\r\nX: " + b"x" * 30000, b"431"),
    ],
)
async def test_whatever_is_no_get_on_a_known_path_is_refused(clients, request_bytes, status):
    assert (await clients.asked(request_bytes)).split(b" ")[1] == status


async def test_a_client_that_drips_its_request_is_cut_off_in_time(clients, monkeypatch):
    monkeypatch.setattr(health, "_REQUEST_S", 0.3)
    _, writer = await clients.one()

    dripped = 0
    with contextlib.suppress(ConnectionError):
        for _ in range(250):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)
            dripped += 1
    assert dripped < 250


async def test_a_client_that_does_not_read_is_cut_off_in_time(server, clients, monkeypatch):
    monkeypatch.setattr(health, "_REQUEST_S", 0.3)
    reader, writer = await clients.one(limit=1)
    writer.write(get("/large"))
    await asyncio.to_thread(wait_until, lambda: server._open)
    await asyncio.to_thread(wait_until, lambda: not server._open)
    received = 0
    with contextlib.suppress(ConnectionError):
        while part := await reader.read(1 << 20):
            received += len(part)
    assert received < 20_000_000


async def test_clients_that_hold_connections_keep_no_probe_away(server, clients):
    for _ in range(100):
        await clients.one()
    assert b"200 OK" in await clients.asked(get("/hello"))
    assert len(server._open) <= health._MOST_CONNECTIONS


async def test_closing_ends_every_connection(server, clients):
    reader, _ = await clients.one()
    assert b"200 OK" in await clients.asked(get("/hello"))
    await server.close()
    assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_taken_port_is_told_in_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"cannot be listened on \\(127.0.0.1, {port}\\)"):
            await HealthServer({}).start("127.0.0.1", port)
