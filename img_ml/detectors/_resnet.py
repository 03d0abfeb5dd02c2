"""What the detectors with a trained ResNet-18 share: its weights, votes over views of an image, the sentence."""

import hashlib
from typing import TYPE_CHECKING

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Setup
from forensics.types import ImageSample, Measured, Signal
from img_ml.data.high_frequencies import VERSION
from img_ml.detectors._options import options
from img_ml.detectors._votes import crops_of_high_frequencies, mean_probability, views, votes_of
from img_ml.weights.store import Installed, installed_for, pull_command

if TYPE_CHECKING:
    from torch import Tensor

    from img_ml.detectors._torch import Outputs
    from img_ml.networks.resnet import ResNet18, Sees


def load_resnet(spec: DetectorSpec, setup: Setup, sees: "Sees", side: int) -> Detector:
    """The trained network on the setup's device, over views of side x side pixels whose logits are averaged.

    Raises WeightsError where nobody has trained it, or it cannot be used.
    """
    votes = votes_of(options(setup, spec.name, {"votes": ()})["votes"], spec.name)
    (weights,) = installed_for(spec.name, setup)
    import torch

    from img_ml.detectors._torch import Parts, TorchDetector

    network = network_of(weights, sees)
    device = torch.device(setup.device)

    def shown(sample: ImageSample) -> "list[Tensor]":
        high = sees == "high_pass"
        seen = crops_of_high_frequencies(sample, votes, side) if high else views(sample, votes, side, "resized")
        return [torch.from_numpy(view.copy()).to(device).permute(2, 0, 1).float() for view in seen]

    def signal(sample: ImageSample, outputs: "Outputs") -> Signal:
        probability = mean_probability(outputs)
        seen = "one view" if votes == 1 else f"{votes} views"
        sentence = f"{spec.title} gives {seen} of the image a probability of {probability:.0%} for AI."
        return Measured(spec.name, {spec.numbers[0].name: probability}, sentence)

    mark = hashlib.sha256(f"{weights.digest} {votes}".encode()).hexdigest()
    return TorchDetector(Parts(shown, network, signal), setup.device, mark)


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
