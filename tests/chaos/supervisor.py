"""Workers under stable consumer names, started again under the same name when they have died."""

import contextlib
import signal
from collections.abc import Mapping, Sequence

from tests.worker.processes import WorkerProcess
from tests.worker.redis_server import wait_until


class Supervisor:
    """Keeps one worker process for each name; `arguments` and `module` as for WorkerProcess."""

    def __init__(
        self,
        settings: Mapping[str, str],
        names: Sequence[str],
        *arguments: str,
        module: str = "tests.worker.run_worker",
    ) -> None:
        self.settings, self.names, self.arguments, self.module = settings, list(names), arguments, module
        self.workers: dict[str, WorkerProcess] = {}
        self._all = contextlib.ExitStack()

    def __enter__(self) -> "Supervisor":
        for name in self.names:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def start(self, name: str) -> WorkerProcess:
        worker = WorkerProcess({**self.settings, "WORKER_CONSUMER": name}, *self.arguments, module=self.module)
        self.workers[name] = self._all.enter_context(worker)
        return worker

    def is_ready(self, name: str) -> bool:
        """Whether the worker has said so; fails where it ended although nobody told it to."""
        worker = self.workers[name]
        assert worker.process.poll() is None, worker.said()
        return "worker is ready" in worker.said()

    def until_ready(self, names: Sequence[str] | None = None) -> None:
        for name in self.names if names is None else names:
            wait_until(lambda name=name: self.is_ready(name), timeout=60)

    def kill_and_start_again(self, name: str) -> None:
        """kill -9, then a new process under the old one's name."""
        self.workers[name].kill()
        self.start(name)

    def stop_all(self) -> None:
        """SIGTERM to everybody at the end: each of them was alive, and ends well."""
        self.until_ready()
        for worker in self.workers.values():
            worker.signal_group(signal.SIGTERM)
        for worker in self.workers.values():
            assert worker.ended(60) == 0, worker.said()
