"""`python -m benchmarks.support.soak.web`: the soak's web server, on a port that it prints.

Files of benchmarks.support.soak.pages by their paths; besides servers that drip, bomb, break off, stay silent or fail,
and receivers of callbacks.
"""

import asyncio
import contextlib
import gzip
import sys
from collections.abc import Iterator

from benchmarks.support.processes import running
from benchmarks.support.soak.pages import bodies

_SAYS = "port "
_OK = b"HTTP/1.1 200 OK\r\n"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: dict[str, bytes]) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b" ", 2)
            name = words[1].decode("latin-1").lstrip("/").partition("?")[0]
            if words[0] == b"POST":
                await reader.readexactly(_length(head))
            if name == "silent":
                await asyncio.sleep(30)
                break
            if name == "drip":
                await _drip(writer)
                break
            writer.write(answers.get(name, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
            await writer.drain()
            if name in ("broken-gzip", "broken-off"):
                break
    writer.close()


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(_OK + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(600):
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answers() -> dict[str, bytes]:
    bomb = gzip.compress(bytes(200 << 20), 9)
    return {
        **{name: _with_length(body) for name, body in bodies().items()},
        "hook": _with_length(b"{}"),
        "gzip-bomb": _with_length(bomb, b"Content-Encoding: gzip\r\n"),
        "broken-gzip": _with_length(gzip.compress(bodies()["1"])[:-20], b"Content-Encoding: gzip\r\n"),
        "broken-off": _OK + b"Content-Length: 100000\r\n\r\nabc",
        "fails": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        "redirects": b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    }


def _with_length(body: bytes, more: bytes = b"") -> bytes:
    return _OK + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def _serve() -> None:
    answers = _answers()
    server = await asyncio.start_server(lambda reader, writer: _answer(reader, writer, answers), "127.0.0.1", 0)
    print(f"{_SAYS}{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def web_server() -> Iterator[int]:
    """The port of a server in a process of its own, for the time of the block."""
    with running([sys.executable, "-m", "benchmarks.support.soak.web"]) as server:
        server.until(lambda: server.said().endswith("\n"), "the web server")
        yield int(server.said().removeprefix(_SAYS))


if __name__ == "__main__":
    asyncio.run(_serve())
