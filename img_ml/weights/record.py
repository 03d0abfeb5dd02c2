"""The record of one set of weights: whose they are, where they come from, what they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from forensics.registry import Tier

Origin = Literal["hub", "local", "trained"]
Filter = Literal["bilinear", "bicubic", "lanczos"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file as it lies in the weights folder.

    `size` in bytes, 0 where unknown; `sha256` is empty where nobody has published it. `or_else` names another file of
    the repository that holds the same tensors as a PyTorch checkpoint; it is converted to safetensors when pulled.
    """

    name: str
    size: int = 0
    sha256: str = ""
    or_else: str = ""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels become the network's input, as its authors publish it.

    Either the shorter edge is resized to `shortest` pixels, or the image is squashed to a square of `squash` pixels.
    Then comes a centre crop of `crop` x `crop`, and normalisation of values in [0, 1] by `mean` and `std`. `centre`
    says how an odd margin is halved: downwards (processors of transformers on Pillow) or to even (torchvision).
    """

    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    shortest: int = 0
    squash: int = 0
    resample: Filter = "bicubic"
    centre: Literal["down", "even"] = "even"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the network takes of a device's memory, as `img_ml.footprint` measures it on the published architecture.

    `parameters` counts the values that stay on the device, `matrices` those of them that are kept in the precision the
    network computes in. `view_bytes` is what one view takes while it runs, in float32, which is the upper end. The
    network gets no more than `most_views` at once (0: as many as there are).
    """

    parameters: int
    matrices: int
    view_bytes: int
    most_views: int = 0


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """One set of weights that a detector can be loaded with; it stands in the detector's file.

    `origin` "hub": `repository` at `revision`, a commit, or a branch that the lock file pins at the first pull.
    "local": the authors publish it outside of the hub, `where` says where, and `pull --from` adopts it. "trained":
    nobody publishes it, `python -m img_ml.train NAME` makes it, or the module and arguments `made_by`. `tier` is the
    smallest profile that takes it. Every file is listed; the tensors are safetensors always. Without a `footprint` the
    memory plan goes by their size. `optional` weights are used where they are, and missed nowhere.
    `architecture` holds what the published config says of the network's sizes, where other sizes are possible.
    """

    name: str
    tier: Tier
    origin: Origin
    licence: str
    where: str
    files: tuple[WeightFile, ...]
    repository: str = ""
    revision: str = "main"
    preprocessing: Preprocessing | None = None
    footprint: Footprint | None = None
    made_by: str = ""
    optional: bool = False
    architecture: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def size(self) -> int:
        """Bytes of all files together, as far as known."""
        return sum(file.size for file in self.files)


def trained_weights(
    name: str,
    size: int,
    footprint: Footprint | None = None,
    *,
    where: str = "nobody publishes them; they are trained on images of your own",
    tensors: str = "model.safetensors",
    **more: Any,
) -> WeightsRecord:
    """The record of weights that users train; `size` in bytes of the tensors, `more` as WeightsRecord has it."""
    fields = {"tier": "full", "origin": "trained", "licence": "yours", "where": where, **more}
    files = (WeightFile("config.json", 500), WeightFile(tensors, size))
    return WeightsRecord(name=name, files=files, footprint=footprint, **fields)
