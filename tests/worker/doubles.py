"""A judge that needs no model: it says AI to images whose hash is even, and fails on demand."""

import os
import time
from collections.abc import Sequence

from forensics.examine import Examined
from forensics.types import ImageSample, Signal
from fusion.artifacts.live import Refreshed
from fusion.verdict import FusionKind, Verdict

DEADLY_WIDTH = 667


class PlainJudge:
    """Answers like the real one. `slowness_s` is added per batch; images of `poison` width raise, deadly ones kill."""

    analyzers: tuple[str, ...] = ()
    needs_pixels = False
    as_published = False
    profile = "double"
    fingerprint = "0" * 64
    kind: FusionKind = "trained"
    configuration = "double"

    def __init__(self, slowness_s: float = 0.0, poison_width: int = 0) -> None:
        self.slowness_s = slowness_s
        self.poison_width = poison_width
        self.batches: list[int] = []

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        self.batches.append(len(examined))
        if self.slowness_s:
            time.sleep(self.slowness_s)
        if any(one.evidence.width == self.poison_width for one in examined):
            raise RuntimeError("this image breaks the network")
        if any(one.evidence.width == DEADLY_WIDTH for one in examined):
            os.kill(os.getpid(), 9)
        return [verdict_on(one) for one in examined]

    def located(self, sample: ImageSample, verdict: Verdict) -> tuple[Signal, ...]:
        return verdict.evidence.signals

    def refresh(self, *, force: bool = False) -> Refreshed:
        return Refreshed("unchanged", self.fingerprint)


def verdict_on(examined: Examined) -> Verdict:
    probability = int(examined.evidence.image_sha256[:2], 16) / 255
    return Verdict(
        label="AI" if probability >= 0.5 else "NON-AI",
        basis="pixels",
        fusion_prob=probability,
        confidence=max(probability, 1 - probability),
        reasons=(),
        claims=examined.evidence.claims,
        evidence=examined.evidence,
        profile="double",
        fingerprint="0" * 64,
    )
