"""Profiles: which detectors run, and the fusion artifact trained on them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from forensics import examine as _analyzers  # noqa: F401 - importing it registers the analyzers
from forensics.errors import ArtifactError
from forensics.registry import Tier, discover, entries, get

discover("img_ml.detectors")

_TIERS: tuple[Tier, ...] = ("light", "standard", "full")


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of detectors, in registry order, and the folder of the fusion artifact trained on it."""

    name: str
    detectors: tuple[str, ...]
    artifact: Path


def load_profile(name: str, model_dir: Path) -> Profile:
    """The built-in profile of that name, or the one in the TOML file of that path.

    A file holds `detectors = ["ela", ...]`, optionally `name` and `artifact` (a folder, relative to the file).
    Raises ArtifactError where there is no such profile, RegistryError where it names an unknown detector.
    """
    for rank, tier in enumerate(_TIERS):
        if name == tier:
            included = _TIERS[: rank + 1]
            detectors = tuple(e.spec.name for e in entries() if e.spec.tier in included)
            return Profile(name, detectors, model_dir / name)
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise ArtifactError(f"There is no profile {name!r}: name one of {', '.join(_TIERS)}, or a TOML file.")
    return _from_file(path)


def _from_file(path: Path) -> Profile:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        names = [str(detector) for detector in content["detectors"]]
        title, artifact = str(content.get("name", path.stem)), str(content.get("artifact", "."))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ArtifactError(f"The profile file {path} cannot be used: {error}") from error
    return Profile(title, tuple(sorted({get(detector).spec.name for detector in names})), path.parent / artifact)
