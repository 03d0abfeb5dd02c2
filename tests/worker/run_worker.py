"""`python -m tests.worker.run_worker [SLOWNESS_S]`: the real worker with the test's judge, to be killed by tests."""

import sys

from tests.worker.doubles import PlainJudge
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load

if __name__ == "__main__":
    configure_logging()
    slowness = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    idle = float(sys.argv[2]) if len(sys.argv) > 2 else None
    run_worker(load(WorkerSettings), lambda: PlainJudge(slowness, poison_width=666), stop_when_idle_s=idle)
