"""A judge whose fusion can be changed while it works; what does not load is refused, and the old one stays."""

from collections.abc import Callable, Sequence
from pathlib import Path

from forensics.errors import ArtifactError, ImgMlError
from forensics.examine import Examined
from forensics.types import ImageSample, Signal
from fusion.artifacts.in_force import Fusion, fusion_in_force, watched_folders
from fusion.artifacts.pointer import read_pointer
from fusion.interface import About, Refreshed, ReloadableJudge
from fusion.judge import Judge, load_judge
from fusion.settings import FusionSettings
from fusion.verdict import FusionKind, Verdict
from img_ml.profiles import Profile, load_profile
from img_ml.settings import ImgMlSettings


class LiveJudge(ReloadableJudge):
    """Judges with the artifact in force; each batch is judged by exactly one."""

    def __init__(self, load: Callable[[], Judge], profile: Profile) -> None:
        """`load` gives the first judge of the profile."""
        self._profile = profile
        # Looked at first: what changes while the judge is loaded is then noticed at the next look.
        self._seen = _stamps(profile)
        self._judge = load()

    @property
    def analyzers(self) -> tuple[str, ...]:
        """Names of the profile's analyzers."""
        return self._judge.analyzers

    @property
    def needs_pixels(self) -> bool:
        """Whether `conclude` needs each item's sample."""
        return self._judge.needs_pixels

    @property
    def as_published(self) -> bool:
        """Whether images are to be read as the authors of published detectors read them."""
        return self._judge.as_published

    @property
    def fingerprint(self) -> str:
        """The fusion in force."""
        return self._judge.fingerprint

    @property
    def kind(self) -> FusionKind:
        """Whether the fusion in force was trained for the profile."""
        return self._judge.kind

    @property
    def about(self) -> About:
        """What it works with."""
        return self._judge.about

    @property
    def configuration(self) -> str:
        """A mark of all that a verdict on given bytes depends on beside the fusion."""
        return self._judge.configuration

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image whose analyzers ran already, in order."""
        return self._judge.conclude(examined)

    def located(self, sample: ImageSample, verdict: Verdict) -> tuple[Signal, ...]:
        """The signals of the verdict, with the maps that are drawn only when somebody asks for them."""
        return self._judge.located(sample, verdict)

    def refresh(self, *, force: bool = False) -> Refreshed:
        """Look whether another artifact is in force and take it; the detectors stay loaded.

        Cheap where nothing changed, and a refused artifact is not tried again until it changes, unless `force`.
        """
        now, judge = _stamps(self._profile), self._judge
        if now == self._seen and not force:
            return Refreshed("unchanged", judge.fingerprint)
        self._seen = now
        try:
            fusion = self._other(judge)
            if fusion.fingerprint == judge.fingerprint:
                return Refreshed("unchanged", judge.fingerprint)
            self._judge = judge.with_fusion(fusion)
        except ImgMlError as error:
            return Refreshed("refused", judge.fingerprint, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the boundary: no artifact may take a working judge down
            return Refreshed("refused", judge.fingerprint, reason=f"{type(error).__name__}: {error}")
        return Refreshed("taken", fusion.fingerprint, earlier=judge.fingerprint)

    def _other(self, judge: Judge) -> Fusion:
        fusion = fusion_in_force(self._profile)
        if fusion.kind == "prior" and judge.kind == "trained":
            # An artifact that is replaced is gone for a moment, and one that was removed by mistake is better kept.
            raise ArtifactError(
                f"There is no fusion model in {self._profile.artifact} any longer; a restart goes back to the prior."
            )
        return fusion


def load_live_judge(detectors: ImgMlSettings, fusion: FusionSettings) -> LiveJudge:
    """The judge that the settings describe, ready for changes; ArtifactError or RegistryError where it cannot be."""
    profile = load_profile(detectors.profile, detectors.model_dir)
    return LiveJudge(lambda: load_judge(detectors, fusion), profile)


def _stamps(profile: Profile) -> str:
    """What changes when something else may be in force."""
    return "\n".join(_stamp(folder) for folder in watched_folders(profile))


def _stamp(folder: Path) -> str:
    """What changes when another artifact is in force: its place, and size and time of each of its files."""
    try:
        artifact = read_pointer(folder).artifact
        files = sorted(path for path in artifact.rglob("*") if path.is_file())
        states = [(path, path.stat()) for path in files]
        return str([artifact, *((str(path), state.st_size, state.st_mtime_ns) for path, state in states)])
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is wrong is told when it is loaded
        return f"none: {error}"
