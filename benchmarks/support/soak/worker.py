"""`python -m benchmarks.support.soak.worker`: the real worker, whose judge needs no model.

Streams, fetching, decoding processes, callbacks are the worker's own. The decoder can be taken over by what stands
behind an image: no file is known that crashes today's decoders, but tomorrow one will be.
"""

import ctypes
import os
import time
from collections.abc import Sequence

from benchmarks.support.soak.pages import BLOAT, CRASH, DEADLY, HANG
from forensics.examine import Examined
from forensics.reading.decode import DecodeLimits
from forensics.sandbox import examination
from forensics.types import ImageSample, Signal
from fusion.interface import Refreshed
from fusion.verdict import FusionKind, Label, Verdict
from worker.launch import run_worker
from worker.observability.telemetry import configure_logging
from worker.settings import WorkerSettings, load

_examine_bytes = examination.examine_bytes


def examine_bytes(
    data: bytes, limits: DecodeLimits, analyzers: tuple[str, ...] | None, keep_pixels: bool, frame: int = 1
) -> Examined:
    """As the worker does, unless the file takes over."""
    if data.endswith(CRASH):
        ctypes.string_at(0)
    while data.endswith(HANG):
        time.sleep(0.1)
    swollen = []
    while data.endswith(BLOAT):
        swollen.append(bytearray(64 << 20))
    return _examine_bytes(data, limits, analyzers, keep_pixels or data.endswith(DEADLY), frame)


class ModellessJudge:
    """Answers by the bytes alone; a deadly image kills the process."""

    analyzers: tuple[str, ...] = ("provenance",)
    needs_pixels = False
    as_published = False
    fingerprint = configuration = "soak"
    kind: FusionKind = "trained"

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image."""
        if any(one.sample is not None and one.sample.data.endswith(DEADLY) for one in examined):
            os.kill(os.getpid(), 9)
        return [self._verdict(one) for one in examined]

    def located(self, sample: ImageSample, verdict: Verdict) -> tuple[Signal, ...]:
        """No maps."""
        return verdict.evidence.signals

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Always the same."""
        return Refreshed("unchanged", self.fingerprint)

    def _verdict(self, examined: Examined) -> Verdict:
        evidence = examined.evidence
        probability = int(evidence.image_sha256[:2], 16) / 255
        label: Label = "AI" if probability >= 0.5 else "NON-AI"
        confidence = max(probability, 1 - probability)
        return Verdict(
            label, "pixels", probability, confidence, (), evidence.claims, evidence, "soak", self.fingerprint
        )


if __name__ == "__main__":
    # Pickled by name, so that the decoding process imports it from here.
    from benchmarks.support.soak import worker

    examination.examine_bytes = worker.examine_bytes
    configure_logging()
    run_worker(load(WorkerSettings), lambda: worker.ModellessJudge())
