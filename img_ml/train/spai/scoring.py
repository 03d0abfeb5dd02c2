"""Images scored by a SPAI network, one at a time and at any size, and how good the scores are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from forensics.errors import JobError
from forensics.reading.decode import decode
from forensics.types import Heatmap, ImageSample, Measured
from img_ml.data.bootstrap import intervals
from img_ml.detectors._spai import SpaiDetector
from img_ml.detectors.spai import SPEC
from img_ml.networks.spai.network import Spai


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """An image's probability of AI, how many patches it has, and its map; or why there is none, in `problem`."""

    path: Path
    probability: float = float("nan")
    patches: int = 0
    heatmap: Heatmap | None = None
    problem: str = ""


def scores(
    network: Spai, paths: Sequence[Path], device: str, batch: int, *, low: bool = False
) -> Iterator[ScoredImage]:
    """The score of each image in order; `batch` patches go through the network at once. `low`: in bfloat16."""
    patches = {}

    def signal(sample: ImageSample, probability: float, count: int, heatmap: Heatmap) -> Measured:
        patches[sample.sha256] = count
        return Measured(SPEC.name, {"spai_prob": probability}, "", heatmap=heatmap)

    precision = "bfloat16" if low else "float32"
    detector = SpaiDetector(network, device, "0" * 64, signal, batch=batch, precision=precision)  # type: ignore[arg-type]
    for path in paths:
        try:
            sample = decode(path.read_bytes())
        except (JobError, OSError) as error:
            yield ScoredImage(path, problem=str(error))
            continue
        (found,) = detector([sample])
        assert isinstance(found, Measured)
        yield ScoredImage(path, found.numbers["spai_prob"], patches.pop(sample.sha256), found.heatmap)


def figures(labels: Sequence[int], probabilities: Sequence[float]) -> dict[str, float]:
    """Accuracy at 0.5, average precision, AUC and the mean loss; AP and AUC are NaN where a class is missing."""
    label, probability = np.array(labels), np.array(probabilities, dtype=np.float64)
    both = len(set(labels)) == 2
    sure = np.clip(np.where(label == 1, probability, 1 - probability), 1e-12, 1)
    return {
        "accuracy": float(((probability > 0.5) == (label == 1)).mean()),
        "ap": float(average_precision_score(label, probability)) if both else float("nan"),
        "auc": float(roc_auc_score(label, probability)) if both else float("nan"),
        "loss": float(-np.log(sure).mean()),
    }


def interval(
    labels: Sequence[int], probabilities: Sequence[float], groups: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the AUC over whole groups; NaN where no resample holds both classes."""
    label, probability = np.array(labels), np.array(probabilities)

    def auc(weight: NDArray[np.float64]) -> float:
        both = len(np.unique(label[weight > 0])) == 2
        return float(roc_auc_score(label, probability, sample_weight=weight)) if both else float("nan")

    found = intervals({"auc": auc}, np.unique(np.array(groups), return_inverse=True)[1], seed)["auc"]
    return found.low, found.high


def on_host(network: Spai) -> Spai:
    """The network with tensors of its own on the CPU, so that a detector may round and move them."""
    copied = Spai(network.sizes)
    copied.load_state_dict({name: value.detach().cpu().clone() for name, value in network.state_dict().items()})
    return copied.eval().requires_grad_(False)


def told(values: Mapping[str, float]) -> str:
    """The figures in one line."""
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
