"""The networks that `python -m img_ml.train crop_network` trains, by name: the detector's own and baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import torch

from forensics.errors import UsageError
from img_ml.networks.crop_network import ALL_STAGES, FRONTS, STAGES, STARTS, CropNetwork, Front, Start
from img_ml.networks.ladeda import LadedaNetwork
from img_ml.networks.npr import NprNetwork
from img_ml.networks.npr_resnet import NprResnet
from img_ml.networks.position_logits import PositionLogits
from img_ml.networks.tiny_ladeda import TinyLadeda

Name = Literal["crop_network", "ladeda", "npr", "tiny_ladeda", "npr_resnet"]
# The first two are after a paper, narrower or plainer; the others are what its authors published.
BASELINES: Mapping[str, Callable[[], PositionLogits]] = {
    "ladeda": LadedaNetwork,
    "npr": NprNetwork,
    "tiny_ladeda": TinyLadeda,
    "npr_resnet": NprResnet,
}
NAMES: tuple[Name, ...] = get_args(Name)
_Told = TypeVar("_Told", bound=str)
# Below it the last layers of some would see nothing.
SMALLEST_SIDE = 32


@dataclass(frozen=True, slots=True)
class NetworkDesign:
    """Which network is trained on crops of `side` pixels; `front`, `start` and `stages` are those of `crop_network`."""

    name: Name
    front: Front = "rgb"
    start: Start = "imagenet"
    stages: int = STAGES
    side: int = 128

    def facts(self) -> dict[str, str | int]:
        """What tells this network from others."""
        shared: dict[str, str | int] = {"network": self.name, "side": self.side}
        if self.name != "crop_network":
            return shared
        return {**shared, "front": self.front, "start": self.start, "stages": self.stages}


def design_of(name: str, front: str, start: str, stages: int, side: int) -> NetworkDesign:
    """The design of these names; DatasetError where there is none of such a name or size.

    A baseline is what its paper says: `front`, `start` and `stages` are not chosen there.
    """
    if not 1 <= stages <= ALL_STAGES:
        raise UsageError(f"--stages is {stages}: choose 1 to {ALL_STAGES}.")
    if side < SMALLEST_SIDE:
        raise UsageError(f"--side is {side}: choose at least {SMALLEST_SIDE} pixels.")
    design = NetworkDesign(
        _one_of("--network", name, NAMES),
        _one_of("--front", front, FRONTS),
        _one_of("--start", start, STARTS),
        stages,
        side,
    )
    if design.name != "crop_network" and design != NetworkDesign(design.name, side=side):
        raise UsageError(f"--front, --start and --stages belong to crop_network: leave them out for {design.name}.")
    return design


def network_of(design: NetworkDesign, seed: int) -> PositionLogits:
    """The network before training, with weights that follow from the seed.

    Raises DatasetError where the published weights that it starts from are not here.
    """
    torch.manual_seed(seed)
    if design.name != "crop_network":
        return BASELINES[design.name]()
    published = None
    if design.start == "imagenet":
        from img_ml.train.crossfit.imagenet import imagenet_weights

        published = imagenet_weights()
    return CropNetwork(design.front, design.stages, published)


def _one_of(option: str, told: str, known: tuple[_Told, ...]) -> _Told:
    for name in known:
        if name == told:
            return name
    raise UsageError(f"{option} is {told!r}: choose one of {', '.join(known)}.")
