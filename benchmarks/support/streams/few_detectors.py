"""`python -m benchmarks.support.few_detectors`: the real worker, with two quick detectors and a verdict known already.

Fetching, decoding in processes of their own, batches, callbacks and writing are the worker's own; only the judge is
not. For runs of so many jobs that the real detectors would take hours.
"""

from collections.abc import Sequence

from forensics.examine import Examined
from fusion.artifacts.live import Refreshed
from fusion.verdict import Verdict
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load

_FINGERPRINT = "0" * 64


class FewDetectors:
    """Says NON-AI to everything."""

    analyzers = ("exif", "provenance")
    needs_pixels = False

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """The same for every image, with its evidence."""
        return [
            Verdict("NON-AI", "pixels", 0.0, 1.0, (), one.evidence.claims, one.evidence, "few", _FINGERPRINT)
            for one in examined
        ]

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Nothing ever changes."""
        return Refreshed("unchanged", _FINGERPRINT)


if __name__ == "__main__":
    configure_logging()
    run_worker(load(WorkerSettings), FewDetectors)
