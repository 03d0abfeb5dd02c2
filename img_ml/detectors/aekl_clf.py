"""Latent image classifier: an autoencoder's encoder, fine-tuned with a small head on images of the user's own."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Pixels
from img_ml.detectors._votes import Voting, views
from img_ml.detectors._voting import chosen_voting, voting_detector
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from img_ml.networks.autoencoders.latent_classifier import LatentClassifier

SPEC = DetectorSpec(
    name="aekl_clf",
    title="Latent image classifier",
    version=1,
    numbers=(Number("aekl_clf_prob", 0, 1, "probability of AI by an autoencoder's latent image", headline=True),),
    looks_at="the latent image that a fine-tuned encoder of a diffusion model makes of the picture at 256 x 256 px",
    fails_when="the subjects or the generator are unlike those it was trained on; grain is lost in resizing",
    tier="full",
    source="https://github.com/Kahsolt/AIGC-clf (aekl_clf); nobody publishes weights of it, so it is trained by "
    "python -m img_ml.train aekl_clf",
)
WEIGHTS = (
    WeightsRecord(
        name="aekl_clf",
        tier="full",
        origin="trained",
        licence="yours",
        where="nobody publishes them; they are trained on images of your own, from the encoder of sd-vae-ft-ema",
        files=(WeightFile("config.json", 800), WeightFile("model.safetensors", 141_000_000)),
        footprint=Footprint(35_245_650, 2_132_610, 169_345_024, most_views=4),
    ),
)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The trained network on the setup's device; WeightsError where nobody has trained it, or it cannot be used."""
    voting = chosen_voting(setup, SPEC.name)
    (weights,) = installed_for(SPEC.name, setup)
    network, side = network_of(weights)

    def shown(sample: ImageSample, voting: Voting) -> Iterable[Pixels]:
        return views(sample, voting, side, "resized")

    says = "The latent image of {seen} has a probability of {probability} for AI."
    return voting_detector(SPEC, setup, voting, weights, network, shown, says, micro_batch=4)


def network_of(weights: Installed) -> "tuple[LatentClassifier, int]":
    """The network on the CPU, and the side of the images it takes."""
    from img_ml.networks.autoencoders.latent_classifier import of_architecture
    from img_ml.weights.loading import fill, tensors_of

    name = weights.record.name
    try:
        config = json_of(weights.file("config.json").read_text(encoding="utf-8"))
        side = int(config["side"])
        network = of_architecture(json_of(config["autoencoder"]), side)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The config.json of {name} does not describe a latent classifier: {error}") from error
    fill(network, tensors_of(weights.file("model.safetensors"), name), name)
    return network.eval().requires_grad_(False), side
