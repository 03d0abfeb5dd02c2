"""`python -m benchmarks.support.streams.few_detectors`: the worker with two detectors and one verdict.

Fetching, decoding in processes of their own, batches, callbacks and writing are the worker's own; only the judge is
not. For runs of so many jobs that the real detectors would take hours.
"""

from collections.abc import Sequence

from forensics.examine import Examined
from fusion.interface import Refreshed, ReloadableJudge
from fusion.verdict import FusionKind, Verdict
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load

_FINGERPRINT = "0" * 64


class FewDetectors(ReloadableJudge):
    """Says NON-AI to everything."""

    @property
    def analyzers(self) -> tuple[str, ...]:
        """The two that need no pixels."""
        return ("exif", "provenance")

    @property
    def needs_pixels(self) -> bool:
        """There are no networks."""
        return False

    @property
    def fingerprint(self) -> str:
        """The same for ever."""
        return _FINGERPRINT

    @property
    def kind(self) -> FusionKind:
        """As of a trained one."""
        return "trained"

    @property
    def configuration(self) -> str:
        """The same for ever."""
        return "few"

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
