"""A backend that takes callbacks: it notes every POST and answers as it is told to."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.worker import web as pages

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, slots=True)
class Posted:
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class Receiver:
    """A server on 127.0.0.1 (`port` 0: a free one); `replies` are used up one per POST, then comes `reply`."""

    def __init__(self, port: int = 0) -> None:
        self.posted: list[Posted] = []
        self.taken: list[str] = []
        self.replies: list[Reply] = []
        self.reply: Reply = accept
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # whoever posts was killed, or gave up, half-way
                receiver.posted.append(Posted(self.path, dict(self.headers), body))
                reply = receiver.replies.pop(0) if receiver.replies else receiver.reply
                with contextlib.suppress(ConnectionError):
                    reply(self)
                    if reply is accept:
                        receiver.taken.append(json.loads(body)["jobId"])

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", port), Handler)
        self.place = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.place}/hook"
        self.thread = Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Receiver":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def accept(handler: BaseHTTPRequestHandler) -> None:
    pages.answer(handler, b'{"ok":true}', 200, {"Content-Type": "application/json"})


@contextlib.contextmanager
def running_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
