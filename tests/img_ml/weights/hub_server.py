"""A hub in a thread: enough of the protocol for huggingface_hub to download, resume and be refused."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@dataclass
class Hub:
    """`files` by repository and name; `commit` and `etag` are told where they are set.

    The first download of a name in `breaking` ends, in `stalling` stops, early.
    """

    files: dict[str, dict[str, bytes]]
    breaking: dict[str, int] = field(default_factory=dict)
    stalling: dict[str, int] = field(default_factory=dict)
    closed: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    url: str = ""
    commit: str = ""
    etag: str = ""

    @contextmanager
    def running(self) -> Iterator["Hub"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.closed.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def ranges(self, name: str) -> list[str | None]:
        """The Range of each download of that file."""
        return [wanted for method, path, wanted in self.requests if method == "GET" and path.endswith(f"/{name}")]


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            hub.requests.append((self.command, self.path, self.headers.get("Range")))
            hub.tokens.add(self.headers.get("Authorization"))
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            if repository not in hub.files:
                return self.refuse("RepoNotFound")
            if name not in hub.files[repository]:
                return self.refuse("EntryNotFound")
            return self.give(hub.files[repository][name], name, COMMIT if revision == "main" else revision)

        def refuse(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def give(self, data: bytes, name: str, commit: str) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{hub.etag or hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", hub.commit or commit)
            self.end_headers()
            if self.command == "GET":
                stalled = hub.stalling.pop(name, 0)
                stop = stalled or hub.breaking.pop(name, len(data))
                self.wfile.write(data[start:stop])
                self.wfile.flush()
                if stalled:
                    hub.closed.wait(60)
                if stop < len(data):
                    self.connection.close()

    return Handler
