"""Processes that end with the block they were started in, and all their children with them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from forensics.errors import ImgMlError

ROOT = Path(__file__).parents[2]
_OURS = ("REDIS_", "WORKER_", "FETCH_", "CALLBACK_", "IMG_ML_", "FUSION_", "EMBEDDED_", "BENCHMARK_")


class BenchmarkError(ImgMlError):
    """The benchmark cannot go on; the text says why."""


class Running:
    """A started process; what it says is in a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is dead."""
        return self._process.poll() is not None

    def said(self) -> str:
        """All it has written to stdout and stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """BenchmarkError with its last words where it has ended."""
        if (code := self._process.poll()) is not None:
            raise BenchmarkError(f"{self._process.args!r} ended with {code}: {self.said()[-2000:]}")

    def until_said(self, words: str, timeout_s: float = 120) -> "Running":
        """Wait until the words are in what it says."""
        self.until(lambda: words in self.said(), f"{words!r} from {self._process.args!r}", timeout_s)
        return self

    def until(self, condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
        """Wait until the condition holds; BenchmarkError where the process ends or time is up before."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"Waited {timeout_s:g} s for {what} in vain.")
            time.sleep(0.02)


@contextlib.contextmanager
def running(command: Sequence[str], **settings: str) -> Iterator[Running]:
    """The process for the time of the block; its whole group is killed at the end."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as target:
            process = subprocess.Popen(
                list(command), env=environment(settings), cwd=folder, stdout=target, stderr=target,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        try:
            yield Running(process, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without the project's own settings, plus the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}
