"""Real worker processes for tests, and what came out of them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from tests.worker.redis_server import wait_until

ROOT = Path(__file__).parents[2]
JOBS, RESULTS = "stream:ai:imageml:jobs", "stream:ai:imageml:results"
DLQ = f"{JOBS}:dlq"

QUICK = {
    "REDIS_CHECK_RATE": "500",
    "WORKER_LEASE_S": "1",
    "WORKER_BATCH_WAIT_MS": "5",
    "WORKER_RETRIES": "0",
    "WORKER_DECODE_PROCESSES": "1",
    "OMP_NUM_THREADS": "1",
}


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without the project's settings, plus quick ones, plus the given."""
    prefixes = ("REDIS_", "WORKER_", "FETCH_", "CALLBACK_", "IMG_ML_", "FUSION_", "EMBEDDED_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, "PYTHONPATH": str(ROOT), **QUICK, **settings}


class WorkerProcess:
    """A worker in its own process (with the test's judge unless `module` says otherwise); logs go to a file."""

    def __init__(
        self, settings: Mapping[str, str], *arguments: str, module: str = "tests.worker.run_worker", cwd: Path = ROOT
    ) -> None:
        self.log = tempfile.NamedTemporaryFile(mode="r", suffix=".log")  # noqa: SIM115
        with Path(self.log.name).open("w") as target:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environment(**settings), stdout=target, stderr=target, cwd=cwd,
                start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self) -> str:
        return Path(self.log.name).read_text()

    def until_ready(self) -> "WorkerProcess":
        wait_until(lambda: "worker is ready" in self.said() or self.process.poll() is not None, timeout=60)
        assert self.process.poll() is None, self.said()
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the worker and its decoding processes, as terminals and service managers do."""
        os.killpg(self.process.pid, number)

    def peak_mib(self) -> float:
        """The most memory that the worker's main process has had, in MiB."""
        (line,) = (
            line
            for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        )
        return int(line.split()[1]) / 1024

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, timeout: float = 30) -> int:
        return self.process.wait(timeout)


def push(client: "redis.Redis", job_id: str, url: object = None, **more: object) -> str:
    job = {"jobId": job_id, "clientId": "test", "image_url": url, **more}
    return str(client.xadd(JOBS, {"data": json.dumps(job)}))


def results(client: "redis.Redis") -> list[dict[str, Any]]:
    return [json.loads(fields["data"]) for _, fields in client.xrange(RESULTS)]


def results_of(client: "redis.Redis", count: int, timeout: float = 60) -> dict[str, dict[str, Any]]:
    """The results by job id once there are `count`; exactly that many, each job once, nothing left behind."""
    wait_until(lambda: client.xlen(RESULTS) >= count and client.xlen(JOBS) == 0, timeout=timeout)
    found = results(client)
    by_job = {result["job_id"]: result for result in found}
    assert len(found) == len(by_job) == count
    return by_job
