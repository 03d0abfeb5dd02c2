"""What the detectors with a trained ResNet-18 share: its weights, and what they show it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Setup
from forensics.types import ImageSample, Pixels
from img_ml.data.high_frequencies import VERSION, Differences
from img_ml.detectors._votes import Voting, crops_of_high_frequencies, views
from img_ml.detectors._voting import chosen_voting, voting_detector
from img_ml.weights.store import Installed, installed_for, pull_command

if TYPE_CHECKING:
    from img_ml.networks.resnet import ResNet18, Sees


def load_resnet(spec: DetectorSpec, setup: Setup, sees: "Sees", side: int) -> Detector:
    """The trained network on the setup's device, over views of side x side pixels.

    Raises WeightsError where nobody has trained it, or it cannot be used.
    """
    voting = chosen_voting(setup, spec.name)
    (weights,) = installed_for(spec.name, setup)

    def shown(sample: ImageSample, voting: Voting) -> Iterable[Pixels | Differences]:
        if sees == "high_pass":
            return crops_of_high_frequencies(sample, voting, side)
        return views(sample, voting, side, "resized")

    says = f"{spec.title} gives {{seen}} of the image a probability of {{probability}} for AI."
    return voting_detector(spec, setup, voting, weights, network_of(weights, sees), shown, says)


def network_of(weights: Installed, sees: "Sees") -> "ResNet18":
    """The network, on the CPU."""
    from img_ml.networks.resnet import ResNet18
    from img_ml.weights.loading import fill, tensors_of

    name = weights.record.name
    try:
        config = json_of(weights.file("config.json").read_text(encoding="utf-8"))
        width = config["width"]
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"its width is {width!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The config.json of {name} does not describe a ResNet-18: {error}") from error
    if sees == "high_pass" and config.get("high_frequencies") != VERSION:
        raise WeightsError(
            f"{name} was trained on other high frequencies than the picture minus its Gaussian blur: train it again "
            f"with {pull_command(weights.record)}."
        )
    network = ResNet18(sees, width)
    fill(network, tensors_of(weights.file("model.safetensors"), name), name)
    return network.eval().requires_grad_(False)
