"""SigLIP 2: the embedding of an image and text network, for the classifier that users train on it."""

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Head, Number, Setup, detector
from forensics.types import ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import Footprint, Preprocessing, WeightFile, WeightsRecord, trained_weights
from img_ml.weights.store import Installed, installed, installed_for, state_of
from img_ml.weights.table import find

if TYPE_CHECKING:
    from img_ml.detectors._torch import Outputs
    from img_ml.networks.embedding_mlp import EmbeddingMlp

SPEC = DetectorSpec(
    name="siglip2",
    title="SigLIP 2",
    version=1,
    numbers=(Number("siglip2_prob", 0, 1, "probability of AI by the head on SigLIP 2's embedding", headline=True),),
    looks_at="the whole picture squashed to a square, as a vision transformer trained on images with texts sees it",
    fails_when="a real image was only reconstructed or edited in places, or the generator is unlike any in training",
    tier="standard",
    source="Tschannen et al., SigLIP 2: Multilingual Vision-Language Encoders, 2025",
    head=Head("siglip2_prob", "mlp"),
)
# As the preprocessor_config.json of Google's repositories says; the file itself is read when the network is loaded.
_HALF = (0.5, 0.5, 0.5)
_SIGLIP_224 = Preprocessing(crop=224, squash=224, resample="bilinear", mean=_HALF, std=_HALF)
_SIGLIP_384 = Preprocessing(crop=384, squash=384, resample="bilinear", mean=_HALF, std=_HALF)
WEIGHTS = (
    WeightsRecord(
        name="siglip2-base",
        tier="standard",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/google/siglip2-base-patch16-224",
        repository="google/siglip2-base-patch16-224",
        revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
        # The whole model; only its image tower is read.
        files=(
            WeightFile("config.json", 253),
            WeightFile("preprocessor_config.json", 394),
            WeightFile(
                "model.safetensors", 1_500_800_904, "612923381c76ec5a9bed335d1c48827e3f2e506ac31b044b63b2031fadee6a0b"
            ),
        ),
        preprocessing=_SIGLIP_224,
        architecture={"model_type": "siglip_vision_model"},
        footprint=Footprint(92_884_420, 92_102_400, 7_827_456),
    ),
    WeightsRecord(
        name="siglip2-so400m",
        tier="full",
        origin="hub",
        licence="Apache-2.0",
        where="https://huggingface.co/google/siglip2-so400m-patch14-384",
        repository="google/siglip2-so400m-patch14-384",
        revision="e8e487298228002f3d8a82e0cd5c8ea9c567f57f",
        files=(
            WeightFile("config.json", 559),
            WeightFile("preprocessor_config.json", 394),
            WeightFile(
                "model.safetensors", 4_544_143_072, "9f4f4a49f908ef0c979bce8ff5a5c0e88882dc6c5dc4304387cbbd152558e2c2"
            ),
        ),
        preprocessing=_SIGLIP_384,
        architecture={
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "intermediate_size": 4304,
            "image_size": 384,
            "patch_size": 14,
        },
        footprint=Footprint(428_226_329, 426_577_088, 40_307_328),
    ),
    trained_weights(
        "siglip2-base-mlp",
        1_850_000,
        where="an optional classifier over the embeddings of siglip2-base; nobody publishes it, it is "
        "trained on images of your own",
        tier="standard",
        made_by="img_ml.train siglip2 train --embeddings_dir EMBEDDINGS --install",
        optional=True,
    ),
    trained_weights(
        "siglip2-so400m-mlp",
        2_640_000,
        where="an optional classifier over the embeddings of siglip2-so400m; nobody publishes it, it is "
        "trained on images of your own",
        made_by="img_ml.train siglip2 train --embeddings_dir EMBEDDINGS --install",
        optional=True,
    ),
)


@dataclass(frozen=True, slots=True)
class _Classifier:
    network: "EmbeddingMlp"
    digest: str

    def probability(self, embedding: NDArray[np.float32]) -> float:
        import torch

        with torch.inference_mode():
            return float(expit(self.network(torch.from_numpy(embedding)[None]).double().item()))


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The image tower of the profile's size on the setup's device, with the classifier that was trained for it, if any.

    Raises WeightsError where either cannot be used.
    """
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._siglip import load_siglip
    from img_ml.detectors._siglip_embedder import unit
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor

    siglip = load_siglip(weights.folder, weights.record.name)
    classifier = _classifier(weights, setup)
    preprocess = Preprocessor(siglip.preprocessing, setup.device)

    def post(sample: ImageSample, outputs: "Outputs") -> Measured:
        return _signal(unit(outputs[0]), classifier)

    mark = weights.digest
    if classifier is not None:
        mark = hashlib.sha256(f"{weights.digest} {classifier.digest}".encode()).hexdigest()
    return TorchDetector(Parts(lambda sample: [preprocess(sample.pixels)], siglip.tower, post), setup.device, mark)


def classifier_name(encoder: str) -> str:
    """The record of the classifier over the embeddings of that record."""
    return f"{encoder}-mlp"


def _classifier(encoder: Installed, setup: Setup) -> _Classifier | None:
    record = find(classifier_name(encoder.record.name))
    if state_of(record, setup.weights) == "missing":
        return None
    weights = installed(record, setup.weights)
    from img_ml.networks.embedding_mlp import filled, read_classifier, sizes_of

    path = weights.file("config.json")
    try:
        trained_on = json_of(path.read_text(encoding="utf-8"))["encoder"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} does not say which embeddings the classifier is for: {error}") from error
    if trained_on != encoder.digest:
        raise WeightsError(
            f"{record.name} was trained on embeddings of other weights than the installed {encoder.record.name}: "
            f"train it again, or delete {weights.folder}."
        )
    tensors = read_classifier(weights.file("model.safetensors"))
    return _Classifier(filled(tensors, record.name, *sizes_of(tensors)), weights.digest)


def _signal(embedding: NDArray[np.float32], classifier: _Classifier | None) -> Measured:
    if classifier is None:
        probability, told = math.nan, "a head trained on it gives the probability"
    else:
        probability = classifier.probability(embedding)
        told = f"the classifier that was trained on it gives a probability of {probability:.0%} for AI"
    sentence = f"SigLIP 2 embedded the image; {told}."
    return Measured(SPEC.name, {"siglip2_prob": probability}, sentence, embedding=embedding)
