"""`python -m tests.chaos.run_hostile_worker [SLOWNESS_S]`: as tests.worker.run_worker, with a decoder to take over."""

import sys

from forensics.sandbox import examination
from tests.chaos import hostile_decoding
from tests.worker.doubles import PlainJudge
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load

if __name__ == "__main__":
    # Pickled by name, so that the decoding process imports it from there.
    examination.examine_bytes = hostile_decoding.examine_bytes
    configure_logging()
    slowness = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    run_worker(load(WorkerSettings), lambda: PlainJudge(slowness))
