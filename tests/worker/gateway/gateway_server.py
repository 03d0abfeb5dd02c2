"""A real gateway for tests: uvicorn in a thread of its own, asked over HTTP."""

import contextlib
import http.client
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn

from tests.worker.redis_server import free_port, wait_until
from worker.settings import WorkerSettings
from worker.web.app import make_app
from worker.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class GatewayServer:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})

    def post_json(self, path: str, content: object, **headers: str) -> Answered:
        told = {"Content-Type": "application/json"} | {n.replace("_", "-"): v for n, v in headers.items()}
        return self.ask("POST", path, json.dumps(content).encode(), told)

    def post_file(self, path: str, data: bytes, name: str = "photo.jpg", **headers: str) -> Answered:
        return self.post_files(path, [(name, data)], **headers)

    def post_files(self, path: str, files: list[tuple[str, bytes]], **headers: str) -> Answered:
        mark = uuid.uuid4().hex
        body = b""
        for name, data in files:
            shown = name.replace('"', "%22")
            body += f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{shown}"\r\n'.encode()
            body += b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        told = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self.ask("POST", path, body, told | {n.replace("_", "-"): v for n, v in headers.items()})


@contextlib.contextmanager
def running_gateway(redis_url: str, **settings: Any) -> Iterator[GatewayServer]:
    """A gateway on a free port; with `web_host="0.0.0.0"` it asks for keys as one that others can reach."""
    port = free_port()
    app = make_app(redis_url, WorkerSettings(redis_url=redis_url), WebSettings(**settings))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), timeout=30)
        assert server.started
        yield GatewayServer(port)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
