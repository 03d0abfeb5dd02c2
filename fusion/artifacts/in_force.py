"""What a profile answers with: the artifact trained for it, or, before there is one, the light model and the prior."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from forensics.errors import ArtifactError
from forensics.registry import DetectorSpec
from fusion.artifacts.artifact import MANIFEST_FILE, POINTER_FILE, Artifact, load_artifact
from fusion.artifacts.pointer import read_pointer
from fusion.artifacts.weights_binding import of_other_weights
from fusion.calibration import Thresholds
from fusion.prior import prior_fingerprint, specs_with_prior, widened
from fusion.verdict import FusionKind
from img_ml.profiles import Profile
from img_ml.settings import PACKAGED_MODELS

# Inside an artifact: others of the same profile, each named by the detector that it does without.
WITHOUT_FOLDER = "without"


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
    if folder != profile.artifact and not folder.is_dir():
        raise ArtifactError(
            f"The artifact in force, {folder}, is not there any longer: `python -m fusion.artifacts back --profile "
            f"{profile.name}` puts the one before it in force again, `use FOLDER` names where it lies now."
        )
    artifact = load_artifact(folder)
    artifact.check_detectors(profile.detectors, profile.name)
    return Fusion("trained", artifact, folder, artifact.fingerprint, artifact.model.thresholds)


def fitting(fusion: Fusion, here: Mapping[str, str]) -> Fusion:
    """The fusion itself, or the one beside its artifact that does without a detector whose weights are not here.

    `here` are the marks of the weights that the detectors have, "" where one has none. Stays the same where the
    artifact weighs nothing that is missing, or where no artifact beside it fits; then what is missing is left out.
    """
    if not of_other_weights(fusion.artifact.weights, here):
        return fusion
    for folder in sorted((fusion.folder / WITHOUT_FOLDER).glob("*/")):
        artifact = load_artifact(folder)
        if not of_other_weights(artifact.weights, here):
            return _stands_in(fusion, artifact, folder)
    return fusion


def _stands_in(fusion: Fusion, artifact: Artifact, folder: Path) -> Fusion:
    """The fusion with another artifact in place of its own."""
    fingerprint, thresholds = artifact.fingerprint, artifact.model.thresholds
    if fusion.kind == "prior":
        fingerprint, thresholds = prior_fingerprint(artifact, fusion.priors), widened(thresholds)
    return replace(fusion, artifact=artifact, folder=folder, fingerprint=fingerprint, thresholds=thresholds)


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
