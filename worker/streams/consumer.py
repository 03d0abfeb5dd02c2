"""A stable name for this worker in its group: the host, and the first slot on it that no running worker holds."""

import hashlib
import os
import re
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from worker.errors import StartError

_MOST_SLOTS = 1000


class ConsumerName:
    """A name held for as long as this process lives; a random one would stay in the group for ever."""

    def __init__(self, queues: Sequence[str], chosen: str | None = None) -> None:
        """Hold `chosen`, or host-slot for queues that the texts tell apart from others on this host.

        Another worker may serve only some of these queues: a slot is free where no other holds it for any of them.
        """
        self._locks: list[FileLock] = []
        self.name = chosen or self._first_free(queues)

    def _first_free(self, queues: Sequence[str]) -> str:
        host = re.sub(r"[^\w.-]", "_", socket.gethostname()) or "worker"
        user = os.getuid() if hasattr(os, "getuid") else "user"
        # Always in the same order, so that of two who want the same some one gets it.
        marks = sorted(hashlib.sha256(queue.encode()).hexdigest()[:12] for queue in set(queues))
        for slot in range(_MOST_SLOTS):
            if all(self._holds(f"img_ml-{user}-{mark}-{slot}.lock") for mark in marks):
                return f"{host}-{slot}"
            self.release()
        raise StartError(f"{_MOST_SLOTS} workers already run on this host.")

    def _holds(self, file_name: str) -> bool:
        """Whether the lock on that file is ours from now on; False where another process has it."""
        lock = FileLock(Path(tempfile.gettempdir()) / file_name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise StartError(f"The file {lock.lock_file} cannot be locked: {error}.") from None
        self._locks.append(lock)
        return True

    def release(self) -> None:
        """Let another process have the slot."""
        while self._locks:
            self._locks.pop().release()
