"""SPAI: patches of an image at its own resolution, each against its own low and high frequencies."""

from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import Heatmap, ImageSample, Measured
from img_ml.detectors._options import options
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord
from img_ml.weights.store import installed_for

SPEC = DetectorSpec(
    name="spai",
    title="SPAI",
    version=2,
    numbers=(Number("spai_prob", 0, 1, "probability of AI by the spectra of patches", headline=True),),
    looks_at="every patch of 224 pixels at native resolution: how well its low and its high frequencies foretell the "
    "rest of it, to a network that learned real images' spectra",
    fails_when="the image was resized, blurred or compressed since it was made; the generator leaves no trace in the "
    "spectrum; the network was trained on few images",
    tier="full",
    source="Karageorgiou et al., Any-Resolution AI-Generated Image Detection by Spectral Learning, CVPR 2025; "
    "backbone by Xie et al., Masked Frequency Modeling for Self-Supervised Visual Pre-Training, ICLR 2023",
)
WEIGHTS = (
    WeightsRecord(
        name="spai",
        tier="full",
        origin="local",
        licence="Apache-2.0",
        where="the authors publish spai.pth through the drive that the README of https://github.com/mever-team/spai "
        "links to (Weights Checkpoint); the network gives what their released code gives on equal weights, and was not "
        "checked against this file",
        files=(WeightFile("model.safetensors", 560_000_000),),
        footprint=Footprint(113_189_126, 112_281_600, 27_888_904),
        made_by="img_ml.spai train --data-path dataset.csv",
    ),
)


@detector(SPEC, weights=WEIGHTS)
def load(setup: Setup) -> Detector:
    """The network on the setup's device; WeightsError where its weights cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    from img_ml.detectors._spai import SpaiDetector
    from img_ml.networks.spai.network import spai_of
    from img_ml.weights.loading import tensors_of

    network = spai_of(tensors_of(weights.file("model.safetensors"), weights.record.name), weights.record.name)
    return SpaiDetector(network, setup.device, weights.digest, signal)


def signal(sample: ImageSample, probability: float, patches: int, heatmap: Heatmap) -> Measured:
    """What the network says of an image; the map shows which of its patches were listened to."""
    seen = "one patch" if patches == 1 else f"{patches} patches"
    sentence = f"SPAI gives the spectra of {seen} a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, {"spai_prob": probability}, sentence, heatmap=heatmap)
