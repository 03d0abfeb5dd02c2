"""An artifact on disk: the fusion model, its heads, its numbers and its card, all listed by SHA-256 in a manifest.

manifest.json   what is here: SHA-256 and size of every other file, library versions, the schema's digest
fusion.json     schema, calibration, thresholds, reference ranges, which heads there are, the weights it rests on
fusion.ubj      the weigher (fusion.logistic.json for the logistic regression, fusion.joblib for the network,
                fusion.stack.zip for all three)
heads/*.joblib  trained heads of learned detectors
metrics.json    what was measured;  MODEL_CARD.md and *.svg  the same for people
"""

import hashlib
import json
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import joblib

from forensics.documents import json_of
from forensics.errors import ArtifactError
from forensics.registry import get
from fusion.model import MINIMUM_MEASURED, FusionModel
from fusion.training.heads import TrainedHead
from fusion.weighers.kinds import KINDS
from fusion.weighers.pickled import unpickled

MANIFEST_FILE, MODEL_FILE = "manifest.json", "fusion.json"
# Stands in a folder beside an artifact, and is no part of it (fusion/artifacts/pointer.py).
POINTER_FILE = "current.json"
LEARNED_FILE = "learned.txt"
# Enough that two of a million images hardly ever share them.
LEARNED_DIGITS = 12
LIBRARIES = ("joblib", "numpy", "pillow", "scikit-learn", "scipy", "xgboost")
# A pickle of another minor release of this library cannot be trusted to mean the same.
PICKLING_LIBRARY = "scikit-learn"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified artifact. `fingerprint`: 16 hex digits over the SHA-256 of the model, its description and heads.

    `learned` are the first LEARNED_DIGITS of the SHA-256 of every image it was trained or calibrated on, `profile`
    names the one whose detectors it was trained on, `weights` marks the weights whose own numbers it weighs.
    """

    model: FusionModel
    heads: tuple[TrainedHead, ...]
    fingerprint: str
    learned: frozenset[str] = frozenset()
    profile: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)

    def check_detectors(self, detectors: Collection[str], profile: str) -> None:
        """Raise ArtifactError where a profile of these detectors lacks most of what the model weighs."""
        if lacking := self.lacking(detectors):
            names = ", ".join(lacking)
            raise ArtifactError(f"The artifact rests on detectors that the profile {profile!r} does not run: {names}.")

    def lacking(self, detectors: Collection[str]) -> tuple[str, ...]:
        """The model's detectors that are not among these, where most of its weight is on them; else none."""
        weighed = zip(self.model.schema.features, self.model.references, strict=True)
        lacking = [(f.detector, r.share) for f, r in weighed if f.detector not in detectors]
        if sum(share for _, share in lacking) <= 1 - MINIMUM_MEASURED:
            return ()
        return tuple(sorted({name for name, _ in lacking}))


def write_artifact(
    folder: Path,
    profile: str,
    model: FusionModel,
    heads: tuple[TrainedHead, ...],
    weights: Mapping[str, str],
    documents: Mapping[str, str],
) -> None:
    """Write an artifact with these documents beside the model; an older one is replaced once the new is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        model.weigher.save(scratch / KINDS[model.kind].file)
        if heads:
            (scratch / "heads").mkdir()
        for head in heads:
            joblib.dump(head, scratch / _head_file(head.detector))
        description = {**model.description(), "heads": [head.detector for head in heads], "weights": dict(weights)}
        for name, text in {MODEL_FILE: to_json(description), **documents}.items():
            (scratch / name).write_text(text, encoding="utf-8")
        (scratch / MANIFEST_FILE).write_text(to_json(_manifest(scratch, profile, model)), encoding="utf-8")
        scratch.chmod(0o755)
        _replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load_artifact(directory: Path) -> Artifact:
    """The artifact in a folder; nothing in it is interpreted before every file was checked against the manifest.

    Raises ArtifactError where a file is missing, was changed, or does not fit this release.
    """
    manifest, files = _verified(directory)
    try:
        description = json_of(files[MODEL_FILE])
        names = [KINDS[description["kind"]].file, *(_head_file(head) for head in description["heads"])]
        _check_pickles(names, manifest)
        model = FusionModel.described(description, files[names[0]])
        heads = tuple(unpickled(files[name], TrainedHead) for name in names[1:])
        weights = {str(name): str(mark) for name, mark in description.get("weights", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"The fusion model in {directory} cannot be read: {error}") from error
    model.schema.check_detectors()
    for head in heads:
        if get(head.detector).spec.version != head.detector_version:
            raise ArtifactError(f"The head of {head.detector!r} was trained with another version of it: retrain.")
    digests = "".join(f"{hashlib.sha256(files[name]).hexdigest()} {name}\n" for name in (MODEL_FILE, *names))
    learned = frozenset(files.get(LEARNED_FILE, b"").decode(errors="replace").split())
    fingerprint = hashlib.sha256(digests.encode()).hexdigest()[:16]
    return Artifact(model, heads, fingerprint, learned, str(manifest.get("profile", "")), weights)


def to_json(content: object) -> str:
    """JSON text of content that holds finite numbers and null only."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _head_file(detector: str) -> str:
    return f"heads/{detector}.joblib"


def _verified(directory: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest, and the bytes of every file it lists, each with the SHA-256 it states."""
    if directory.is_file():
        raise ArtifactError(f"{directory} is a file, and an artifact is a folder: name the folder.")
    try:
        manifest = json_of(_bytes_of(directory, MANIFEST_FILE))
        expected = {str(name): str(entry["sha256"]) for name, entry in manifest["files"].items()}
        manifest["libraries"] = dict(manifest["libraries"])
        if MODEL_FILE not in expected:
            raise KeyError(MODEL_FILE)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"There is no fusion model in {directory}: train one, or choose another profile."
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"The manifest in {directory} cannot be read: {error}") from error
    return manifest, {name: _checked(directory, name, sha256) for name, sha256 in expected.items()}


def _checked(directory: Path, name: str, sha256: str) -> bytes:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ArtifactError(f"The manifest in {directory} lists {name!r}, which lies outside of it.")
    try:
        data = _bytes_of(directory, name)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{directory / name} cannot be read, but the manifest lists it.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArtifactError(f"{directory / name} does not match its manifest and was not loaded.")
    return data


def _bytes_of(directory: Path, name: str) -> bytes:
    """The bytes of a regular file in the folder; OSError for a link, a pipe or a device, which is not waited for."""
    path = directory / name
    if not path.parent.resolve().is_relative_to(directory.resolve()):
        raise OSError(f"{path} lies outside of the folder")
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(opened, "rb") as file:  # noqa: PTH123 - by its number
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read()


def _check_pickles(names: list[str], manifest: Mapping[str, Any]) -> None:
    """ArtifactError where a pickle would be read by another release than the one that wrote it."""
    if not any(name.endswith((".joblib", ".zip")) for name in names):
        return
    written, here = str(manifest["libraries"].get(PICKLING_LIBRARY)), version(PICKLING_LIBRARY)
    if written.split(".")[:2] != here.split(".")[:2]:
        raise ArtifactError(
            f"The artifact was written with {PICKLING_LIBRARY} {written}, but this is {here}: install that release, or "
            "retrain."
        )


def _replace(new: Path, folder: Path) -> None:
    """Move `new` to the folder's place; what stood there goes, but for the choice of the artifact in force."""
    old = folder.with_name(f".{folder.name}-replaced")
    if old.exists() and not folder.exists():
        # A run was killed between the two moves below.
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    if not folder.exists():
        new.rename(folder)
        return
    if (folder / POINTER_FILE).exists():
        shutil.copy2(folder / POINTER_FILE, new)
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _manifest(folder: Path, profile: str, model: FusionModel) -> dict[str, Any]:
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        files[path.relative_to(folder).as_posix()] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return {
        "profile": profile,
        "kind": model.kind,
        "files": files,
        "schema": {
            "version": model.schema.version,
            "sha256": model.schema.digest(),
            "features": len(model.schema.features),
        },
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
