"""A tiny HTTP server for probes and scrapers: GET only, one request a connection, nothing a client can wear out."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from worker.errors import StartError

_LONGEST_HEAD = 8 * 1024
_REQUEST_S = 3.0
_MOST_CONNECTIONS = 32
_LINGERING_READS = 16
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered to a request."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN


Route = Callable[[], Awaitable[Reply]]


class HealthServer:
    """Answers GET on the paths it is given; each path's function must return soon.

    A request may take 3 s and its head 8 KiB. There are at most 32 connections: a new one puts out the oldest, so that
    clients which only hold connections keep no probe away.
    """

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; StartError where that is not possible."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST_HEAD)
        except OSError as error:
            raise StartError(
                f"WORKER_HTTP_HOST and WORKER_HTTP_PORT cannot be listened on ({host}, {port}): "
                f"{error.strerror or error}."
            ) from None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        left = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = asyncio.current_task()
        try:
            async with asyncio.timeout(_REQUEST_S):
                writer.write(_message(await self._reply(reader)))
                await _finish(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # too slow, or gone: nobody is left to be told
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _plain(HTTPStatus.BAD_REQUEST)
        if words[0] != b"GET":
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        route = self._routes.get(words[1].partition(b"?")[0].decode("latin-1"))
        return await route() if route is not None else _plain(HTTPStatus.NOT_FOUND)


def _plain(status: HTTPStatus) -> Reply:
    return Reply(status, f"{status.phrase}\n".encode())


def _message(reply: Reply) -> bytes:
    allow = "Allow: GET\r\n" if reply.status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {reply.status.value} {reply.status.phrase}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nCache-Control: no-store\r\n{allow}Connection: close\r\n\r\n"
    )
    return head.encode() + reply.body


async def _finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what is written and wait until the client has closed.

    Closing over unread input would reset the connection, and with it a reply that is still under way.
    """
    await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
    for _ in range(_LINGERING_READS):
        if not await reader.read(_LONGEST_HEAD):
            break
