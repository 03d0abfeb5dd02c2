"""Profiles: which detectors run, and the fusion artifact trained on them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forensics import examine as _analyzers  # noqa: F401 - importing it registers the analyzers
from forensics.documents import toml_of
from forensics.errors import ArtifactError
from forensics.registry import TIERS, Tier, discover, entries, get
from img_ml.detectors._own_classifiers import add_classifiers
from img_ml.settings import PACKAGED_MODELS

discover("img_ml.detectors")

Options = Mapping[str, str]
DEVICE_NAME = re.compile(r"cpu|mps|cuda(:\d+)?")

# The light profile without its encoder: 5 MB of weights, and the artifact that light falls back to.
TINY = "tiny"
TINY_WITHOUT = ("clip_b16",)
BUILT_IN = (TINY, *TIERS)


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of detectors, in registry order, and the folder of the fusion artifact trained on it.

    `light` is the folder of the light model beside it, for as long as the profile has no artifact of its own.
    `as_published`: images are read as the authors of published detectors read them (forensics/reading/decode.py).
    `devices` names the device of single detectors, where it is another than IMG_ML_DEVICE: `{"clip_bigg": "cpu"}`.
    `tier` decides between weights of several sizes (DINOv2-base in standard, -large in full), `options` tells single
    detectors more, by detector and name: `{"dino": {"weights": "dinov2-base"}}`.
    """

    name: str
    detectors: tuple[str, ...]
    artifact: Path
    tier: Tier = "full"
    options: Mapping[str, Options] = field(default_factory=dict)
    light: Path = PACKAGED_MODELS / TIERS[0]
    as_published: bool = False
    devices: Mapping[str, str] = field(default_factory=dict)


def load_profile(name: str, model_dir: Path) -> Profile:
    """The built-in profile of that name, or the one in the TOML file of that path.

    A file holds `detectors = ["ela", ...]`, optionally `name`, `artifact` (a folder, relative to the file), `tier`
    (full when not given), `as_published`, a table `[options.DETECTOR]` of texts for a detector, a table `[devices]` of
    a device for some of them, and `[classifiers.NAME]`: a published classifier that becomes a detector
    (img_ml/detectors/_own_classifiers.py).
    Raises ArtifactError where there is no such profile, RegistryError where it names an unknown detector.
    """
    light = model_dir / TIERS[0]
    if name == TINY:
        detectors = tuple(e.spec.name for e in entries() if e.spec.tier == TIERS[0] and e.spec.name not in TINY_WITHOUT)
        own = light.joinpath("without", *TINY_WITHOUT)
        return Profile(name, detectors, own, TIERS[0], light=own)
    for rank, tier in enumerate(TIERS):
        if name == tier:
            included = TIERS[: rank + 1]
            detectors = tuple(e.spec.name for e in entries() if e.spec.tier in included)
            return Profile(name, detectors, model_dir / name, tier, light=light)
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise ArtifactError(f"There is no profile {name!r}: name one of {', '.join(BUILT_IN)}, or a TOML file.")
    return _from_file(path, light)


def _from_file(path: Path, light: Path) -> Profile:
    try:
        content = toml_of(path.read_text(encoding="utf-8"))
        add_classifiers(content.get("classifiers", {}))
        names = [str(detector) for detector in content["detectors"]]
        title, artifact = str(content.get("name", path.stem)), str(content.get("artifact", "."))
        options = {get(d).spec.name: {k: str(v) for k, v in o.items()} for d, o in content.get("options", {}).items()}
        tier = TIERS[TIERS.index(content.get("tier", TIERS[-1]))]
        devices = {get(d).spec.name: _device(d, device) for d, device in content.get("devices", {}).items()}
        as_published = content.get("as_published", False)
        if not isinstance(as_published, bool):
            raise ValueError(f"as_published is {as_published!r}, not true or false")
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"The profile file {path} cannot be used: {error}") from error
    detectors = tuple(sorted({get(detector).spec.name for detector in names}))
    return Profile(title, detectors, path.parent / artifact, tier, options, light, as_published, devices)


def _device(detector: str, device: object) -> str:
    if not isinstance(device, str) or not DEVICE_NAME.fullmatch(device):
        raise ValueError(f"the device of {detector} is {device!r}, not cpu, cuda, cuda:N or mps")
    if get(detector).load is None or get(detector).on_cpu:
        raise ValueError(f"{detector} runs on the CPU alone and takes no device")
    return device
