"""A detector that asks one network about several views of an image: what those with networks of one's own share."""

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from forensics.registry import Detector, DetectorSpec, Setup
from forensics.types import ImageSample, Measured, Pixels, Signal
from img_ml.data.high_frequencies import Differences
from img_ml.detectors._options import options
from img_ml.detectors._votes import OPTIONS, Voting, voting_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from img_ml.detectors._torch import Outputs
    from img_ml.weights.store import Installed

Views = Callable[[ImageSample, Voting], Iterable[Pixels | Differences]]


def chosen_voting(setup: Setup, detector: str) -> Voting:
    """What the profile chose; ArtifactError where it cannot be chosen."""
    return voting_of(options(setup, detector, OPTIONS), detector)


def voting_detector(
    spec: DetectorSpec,
    setup: Setup,
    voting: Voting,
    weights: "Installed",
    network: "nn.Module",
    views: Views,
    says: str,
    micro_batch: int | None = None,
) -> Detector:
    """The network (n, 3, H, W) to logits on the setup's device, over views (H, W, 3) whose answers are combined.

    `says` is the sentence, with `{seen}` for how many views there were and `{probability}`.
    """
    import torch

    from img_ml.detectors._torch import Parts, TorchDetector

    device = torch.device(setup.device)
    seen = "one view" if voting.votes == 1 else f"{voting.votes} views"

    def shown(sample: ImageSample) -> "list[Tensor]":
        found = (torch.from_numpy(view.copy()) for view in views(sample, voting))
        return [view.to(device).permute(2, 0, 1).float() for view in found]

    def signal(sample: ImageSample, outputs: "Outputs") -> Signal:
        probability = voting.probability(outputs)
        sentence = says.format(seen=seen, probability=f"{probability:.0%}")
        return Measured(spec.name, {spec.numbers[0].name: probability}, sentence)

    mark = hashlib.sha256(f"{weights.digest} {voting.mark}".encode()).hexdigest()
    parts = Parts(shown, network, signal)
    if micro_batch is None:
        return TorchDetector(parts, setup.device, mark)
    return TorchDetector(parts, setup.device, mark, micro_batch=micro_batch)
