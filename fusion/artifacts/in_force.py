"""What a profile answers with: the artifact trained for it, or, before there is one, the light model and the prior."""

from dataclasses import dataclass
from pathlib import Path

from forensics.errors import ArtifactError
from forensics.registry import DetectorSpec
from fusion.artifacts.artifact import MANIFEST_FILE, POINTER_FILE, Artifact, load_artifact
from fusion.artifacts.pointer import read_pointer
from fusion.calibration import Thresholds
from fusion.prior import prior_fingerprint, specs_with_prior, widened
from fusion.verdict import FusionKind
from img_ml.profiles import Profile
from img_ml.settings import PACKAGED_MODELS


@dataclass(frozen=True, slots=True)
class Fusion:
    """A verified artifact, with what stands beside it: `priors` are the detectors weighed by their prior.

    `kind` is trained where the artifact was put there for the profile, prior where it is the light model's.
    """

    kind: FusionKind
    artifact: Artifact
    folder: Path
    fingerprint: str
    thresholds: Thresholds
    priors: tuple[DetectorSpec, ...] = ()


def fusion_in_force(profile: Profile) -> Fusion:
    """What the profile answers with.

    Raises ArtifactError where its artifact is damaged, or where it has none and does not run the light model's
    detectors either.
    """
    if not has_artifact(profile):
        return _prior(profile)
    folder = read_pointer(profile.artifact).artifact
    artifact = load_artifact(folder)
    artifact.check_detectors(profile.detectors, profile.name)
    return Fusion("trained", artifact, folder, artifact.fingerprint, artifact.model.thresholds)


def has_artifact(profile: Profile) -> bool:
    """Whether the profile has, or should have, an artifact of its own; light always should."""
    return _is_chosen(profile.artifact) or profile.artifact == profile.light


def watched_folders(profile: Profile) -> tuple[Path, ...]:
    """The folders whose content decides what is in force."""
    return tuple(dict.fromkeys((profile.artifact, profile.light)))


def _prior(profile: Profile) -> Fusion:
    light = profile.light if _is_chosen(profile.light) else PACKAGED_MODELS / "light"
    folder = read_pointer(light).artifact
    artifact = load_artifact(folder)
    if lacking := artifact.lacking(profile.detectors):
        raise ArtifactError(
            f"There is no fusion model in {profile.artifact}, and the light one cannot stand in for it: the profile "
            f"{profile.name!r} does not run {', '.join(lacking)}. Train one with python -m fusion.train_fusion, or "
            "choose another profile."
        )
    priors = specs_with_prior(profile.detectors, artifact)
    fingerprint = prior_fingerprint(artifact, priors)
    return Fusion("prior", artifact, folder, fingerprint, widened(artifact.model.thresholds), priors)


def _is_chosen(folder: Path) -> bool:
    try:
        return any((folder / name).exists() for name in (MANIFEST_FILE, POINTER_FILE))
    except OSError:
        # A folder that may not be looked into is no empty one; loading tells what is wrong with it.
        return True
