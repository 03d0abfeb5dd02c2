"""A proxy in front of Redis that carries out every command and keeps every so many replies to itself."""

import contextlib
import socket
import socketserver
from collections import Counter
from threading import Lock, Thread
from typing import IO

from tests.worker.redis_server import RedisServer


class CuttingProxy:
    """Forwards one command at a time per connection (RESP2); drops every `every`-th reply and its connection.

    `only` counts the commands of these names alone, others always get their reply. `cut` tells whose replies were
    dropped, by command; Redis had carried each of them out.
    """

    def __init__(self, redis_server: RedisServer, every: int, only: frozenset[str] = frozenset()) -> None:
        self.cut: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self._every, self._only, self._count, self._lock = every, only, 0, Lock()
        self._upstream = ("127.0.0.1", redis_server.port)
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, EOFError):
                    proxy._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"redis://127.0.0.1:{self._server.server_address[1]}/0"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "CuttingProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with (
            socket.create_connection(self._upstream) as upstream,
            client.makefile("rb") as commands,
            upstream.makefile("rb") as replies,
        ):
            while True:
                command = read_value(commands)
                cut = self._is_next_to_cut(name_of(command))
                upstream.sendall(command)
                reply = read_value(replies)
                if cut:
                    with self._lock:
                        self.cut[name_of(command)] += 1
                    return
                client.sendall(reply)

    def _is_next_to_cut(self, name: str) -> bool:
        with self._lock:
            self.seen[name] += 1
            if self._only and name not in self._only:
                return False
            self._count += 1
            return self._count % self._every == 0


def read_value(stream: IO[bytes]) -> bytes:
    """The bytes of one whole RESP2 value, a command or a reply; EOFError where the stream ends."""
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise EOFError
    kind, rest = line[:1], line[1:-2]
    if kind == b"$" and int(rest) >= 0:
        length = int(rest) + 2
        body = stream.read(length)
        if len(body) < length:
            raise EOFError
        return line + body
    if kind == b"*":
        return line + b"".join(read_value(stream) for _ in range(int(rest)))
    return line


def name_of(command: bytes) -> str:
    """The first word of a command, in capitals."""
    return command.split(b"\r\n", 3)[2].decode().upper()
