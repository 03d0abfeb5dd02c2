"""A judge whose artifact can be changed while it works; what does not load is refused, and the old one stays."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from forensics.errors import ImgMlError
from forensics.examine import Examined
from fusion.artifact import MANIFEST_FILE, load_artifact
from fusion.judge import Judge, load_judge
from fusion.pointer import read_pointer
from fusion.settings import FusionSettings
from fusion.verdict import Verdict
from img_ml.profiles import load_profile
from img_ml.settings import ImgMlSettings


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the artifact gave: `fingerprint` is the one in force now, `earlier` the one before if taken.

    `reason` says why another one was refused.
    """

    outcome: Literal["unchanged", "taken", "refused"]
    fingerprint: str
    earlier: str = ""
    reason: str = ""


class LiveJudge:
    """Judges with the artifact in force; each batch is judged by exactly one. `folder` is the profile's."""

    def __init__(self, judge: Judge, folder: Path) -> None:
        self._judge = judge
        self._folder = folder
        self._seen = _stamp(folder)

    @property
    def analyzers(self) -> tuple[str, ...]:
        """Names of the profile's analyzers."""
        return self._judge.analyzers

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` needs each item's sample."""
        return self._judge.needs_pixels

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image whose analyzers ran already, in order."""
        return self._judge.conclude(examined)

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Look whether another artifact is in force and take it; the detectors stay loaded.

        Cheap where nothing changed, and a refused artifact is not tried again until it changes, unless `force`.
        """
        now, judge = _stamp(self._folder), self._judge
        if now == self._seen and not force:
            return Refreshed("unchanged", judge.fingerprint)
        self._seen = now
        try:
            artifact = load_artifact(read_pointer(self._folder).artifact)
        except ImgMlError as error:
            return Refreshed("refused", judge.fingerprint, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the boundary: no artifact may take a working judge down
            return Refreshed("refused", judge.fingerprint, reason=f"{type(error).__name__}: {error}")
        if artifact.fingerprint == judge.fingerprint:
            return Refreshed("unchanged", judge.fingerprint)
        self._judge = judge.with_artifact(artifact)
        return Refreshed("taken", artifact.fingerprint, earlier=judge.fingerprint)


def load_live_judge(detectors: ImgMlSettings, fusion: FusionSettings) -> LiveJudge:
    """The judge that the settings describe, ready for changes; ArtifactError or RegistryError where it cannot be."""
    profile = load_profile(detectors.profile, detectors.model_dir)
    return LiveJudge(load_judge(detectors, fusion), profile.artifact)


def _stamp(folder: Path) -> str:
    """What changes when another artifact is in force: its place and its manifest."""
    try:
        artifact = read_pointer(folder).artifact
        return f"{artifact} {hashlib.sha256((artifact / MANIFEST_FILE).read_bytes()).hexdigest()}"
    except (ImgMlError, OSError) as error:
        return f"none: {error}"
