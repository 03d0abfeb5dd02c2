"""`python -m benchmarks.support.image_server FOLDER`: a folder's images over HTTP, from memory; prints its port.

As little work for each request as possible, so that it is the worker that is measured.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.support.photos import read
from benchmarks.support.processes import running

_SAYS = "port "
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One client's requests, one after the other."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        while b"\r\n\r\n" in self._asked:
            head, _, self._asked = self._asked.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            self._transport.write(self._answers.get(path, _MISSING))


async def _serve(folder: Path) -> None:
    answers = {f"/{name}".encode(): _answer(content) for name, content in read(folder)}
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    print(f"{_SAYS}{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def _answer(content: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


@contextlib.contextmanager
def image_server(folder: Path) -> Iterator[str]:
    """host:port of a server in a process of its own, for the time of the block."""
    with running([sys.executable, "-m", "benchmarks.support.streams.image_server", str(folder)]) as server:
        server.until(lambda: server.said().endswith("\n"), "the image server")
        yield f"127.0.0.1:{server.said().removeprefix(_SAYS).strip()}"


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
