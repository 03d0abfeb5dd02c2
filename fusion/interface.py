"""The face that every judge shows its callers: fusion.judge, the live judge, and the stand-ins of benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forensics.examine import Examined
from forensics.types import ImageSample, Signal
from fusion.verdict import FusionKind, Verdict


class JudgeInterface(Protocol):
    """What weighs the evidence of one profile; `analyzers` and `needs_pixels` tell a caller that examines images
    elsewhere what to run and what to keep."""

    @property
    def analyzers(self) -> tuple[str, ...]:
        """Names of the profile's analyzers."""
        ...

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` needs each item's sample."""
        ...

    @property
    def as_published(self) -> bool:
        """Whether images are to be read as the authors of published detectors read them."""
        return False

    @property
    def fingerprint(self) -> str:
        """The fusion in force."""
        ...

    @property
    def kind(self) -> FusionKind:
        """Whether the fusion in force was trained for the profile."""
        ...

    @property
    def configuration(self) -> str:
        """A mark of all that a verdict on given bytes depends on beside the fusion."""
        ...

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image whose analyzers ran already, in order; called in one thread."""
        ...

    def located(self, sample: ImageSample, verdict: Verdict) -> tuple[Signal, ...]:
        """The signals of the verdict, with the maps that are drawn only when somebody asks; in the same thread."""
        return verdict.evidence.signals


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the artifact gave: `fingerprint` is the one in force now, `earlier` the one before if taken.

    `reason` says why another one was refused.
    """

    outcome: Literal["unchanged", "taken", "refused"]
    fingerprint: str
    earlier: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a judge works with: `present` are the detectors that can measure here, `missing` the others, each with the
    reason. `device` is where networks run."""

    profile: str
    device: str
    present: tuple[str, ...]
    missing: Mapping[str, str]
    fusion: FusionKind
    fingerprint: str


class ReloadableJudge(JudgeInterface, Protocol):
    """A judge whose fusion can change while it works."""

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Take another artifact where one is in force; called in any thread."""
        ...
