"""A stable name for this worker in its group: the host, and the first slot on it that no running worker holds."""

import hashlib
import os
import re
import socket
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from worker.errors import StartError

_MOST_SLOTS = 1000


class ConsumerName:
    """A name held for as long as this process lives; a random one would stay in the group for ever."""

    def __init__(self, queue: str, chosen: str | None = None) -> None:
        """Hold `chosen`, or host-slot for the queue that the text `queue` tells apart from others on this host."""
        self._lock: FileLock | None = None
        self.name = chosen or self._first_free(queue)

    def _first_free(self, queue: str) -> str:
        host = re.sub(r"[^\w.-]", "_", socket.gethostname()) or "worker"
        mark = hashlib.sha256(queue.encode()).hexdigest()[:12]
        user = os.getuid() if hasattr(os, "getuid") else "user"
        for slot in range(_MOST_SLOTS):
            lock = FileLock(Path(tempfile.gettempdir()) / f"img_ml-{user}-{mark}-{slot}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            except OSError as error:
                raise StartError(f"The file {lock.lock_file} cannot be locked: {error}.") from None
            self._lock = lock
            return f"{host}-{slot}"
        raise StartError(f"{_MOST_SLOTS} workers already run on this host.")

    def release(self) -> None:
        """Let another process have the slot."""
        if self._lock is not None:
            self._lock.release()
