"""A local web server for tests: good images, bad files, and servers that misbehave, one path each."""

import contextlib
import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


def photo(seed: int, size: tuple[int, int] = (96, 64), kind: str = "JPEG") -> bytes:
    """A small image of smooth noise, different for each seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(target, kind)
    return target.getvalue()


def animated_gif() -> bytes:
    frames = [Image.new("RGB", (40, 30), (n * 40, 10, 200)) for n in range(4)]
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])
    return target.getvalue()


def png_bomb(side: int = 30_000) -> bytes:
    """A valid small PNG whose header announces side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class Web:
    """A server on 127.0.0.1; `pages` maps a path to bytes or to a function of the handler; `asked` lists paths."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.headers.append(dict(self.headers))
                page = web.pages.get(self.path.partition("?")[0])
                with contextlib.suppress(ConnectionError):
                    if callable(page):
                        page(self)
                    elif page is None:
                        answer(self, b"no such page", 404, {"Content-Type": "text/html"})
                    else:
                        answer(self, page)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = _QuietServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.place}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Web":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def answer(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, headers: dict[str, str] | None = None):
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def redirect(location: str, status: int = 302, encoding: str = "utf-8") -> Callable[[BaseHTTPRequestHandler], None]:
    on_the_wire = location.encode(encoding).decode("latin-1")
    return lambda handler: answer(handler, b"", status, {"Location": on_the_wire})


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: answer(handler, b"sorry", code)


def drip(body: bytes, pause_s: float = 0.1) -> Callable[[BaseHTTPRequestHandler], None]:
    """One byte at a time: each read is quick, all of them never end."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for value in body:
            handler.wfile.write(bytes([value]))
            handler.wfile.flush()
            time.sleep(pause_s)

    return send


def lying_length(body: bytes, announced: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        answer(handler, body, 200, {"Content-Length": str(announced), "Connection": "close"})

    return send


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A chunked body without an end and without an announced length."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    block = b"x" * 65536
    while True:
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))


@contextlib.contextmanager
def running_web() -> Iterator[Web]:
    with Web() as web:
        yield web
