"""Published image classifiers of the hub as detectors: what to know of one, and how any of them is loaded."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from forensics.errors import WeightsError
from forensics.registry import Detector, DetectorSpec, Number, Setup, Tier
from forensics.types import ImageSample, Measured, Signal
from img_ml.detectors._options import options
from img_ml.detectors._votes import OPTIONS, Voting, parts, voting_of
from img_ml.weights.record import Footprint, WeightFile, WeightsRecord
from img_ml.weights.store import Installed, installed_for

if TYPE_CHECKING:
    from torch import Tensor

    from img_ml.detectors._torch import Outputs


@dataclass(frozen=True, slots=True)
class HubClassifier:
    """A published classifier: the detector it becomes, and which of its labels mean that a machine made the image.

    `ai_labels` are compared with the model's own labels, whatever their case; the names of no label of the model are
    passed over, so that several spellings may stand there. The weights are the record of the same name.
    """

    name: str
    title: str
    ai_labels: tuple[str, ...]
    fails_when: str
    source: str

    @property
    def number(self) -> str:
        """The name of its probability of AI."""
        return f"{self.name}_prob"


def spec_of(classifier: HubClassifier) -> DetectorSpec:
    """The declaration of the detector that a classifier becomes."""
    return DetectorSpec(
        name=classifier.name,
        title=classifier.title,
        version=1,
        numbers=(Number(classifier.number, 0, 1, f"probability of AI by {classifier.title}", headline=True),),
        looks_at="the whole picture at the size its authors chose; with votes, parts of it",
        fails_when=classifier.fails_when,
        tier="full",
        source=classifier.source,
    )


def published_classifier(
    name: str,
    repository: str,
    licence: str,
    *,
    revision: str = "main",
    size: int = 0,
    footprint: Footprint | None = None,
    architecture: Mapping[str, Any] = MappingProxyType({}),
    tier: Tier = "full",
) -> WeightsRecord:
    """The record of an image classifier of the hub in the layout of transformers; `size` in bytes of its tensors."""
    return WeightsRecord(
        name=name,
        tier=tier,
        origin="hub",
        licence=licence,
        where=f"https://huggingface.co/{repository}",
        repository=repository,
        revision=revision,
        files=(
            WeightFile("config.json", 1000),
            WeightFile("preprocessor_config.json", 400),
            WeightFile("model.safetensors", size, or_else="pytorch_model.bin"),
        ),
        footprint=footprint,
        architecture=architecture,
    )


def load_classifier(classifier: HubClassifier, setup: Setup) -> Detector:
    """The network on the setup's device; WeightsError where its weights cannot be used, or its labels do not fit.

    A profile may choose `votes`, `flips` and `combine`, and `ai_labels`: other labels, between commas.
    """
    chosen = options(setup, classifier.name, {**OPTIONS, "ai_labels": ()})
    voting = voting_of(chosen, classifier.name)
    labels = _listed(chosen["ai_labels"]) or classifier.ai_labels
    (weights,) = installed_for(classifier.name, setup)
    from img_ml.detectors._torch import Parts, TorchDetector
    from img_ml.engine.preprocess import Preprocessor, published

    model = _model(weights)
    made_up, not_made_up = _places(model.config.id2label, labels, classifier.name)
    preprocess = Preprocessor(published(weights.file("preprocessor_config.json")), setup.device)

    def core(pixels: "Tensor") -> "Tensor":
        logits = model(pixel_values=pixels).logits.float()
        # The log-odds of the labels of AI against all others.
        odds: Tensor = logits[:, made_up].logsumexp(dim=1) - logits[:, not_made_up].logsumexp(dim=1)
        return odds

    def shown(sample: ImageSample) -> "Iterator[Tensor]":
        return (preprocess(part) for part in parts(sample, voting))

    mark = hashlib.sha256(f"{weights.digest} {voting.mark} {made_up}".encode()).hexdigest()
    signal = partial(_signal, classifier, voting)
    return TorchDetector(Parts(shown, core, signal, model), setup.device, mark)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in text.split(",") if label.strip())


def _places(labels: dict[int, str], wanted: Sequence[str], name: str) -> tuple[list[int], list[int]]:
    """Where the labels of AI stand among the model's outputs, and where the others do."""
    spelled = {label.casefold() for label in wanted}
    inside = [place for place, label in sorted(labels.items()) if label.casefold() in spelled]
    outside = [place for place in sorted(labels) if place not in inside]
    if not inside or not outside:
        told = ", ".join(repr(label) for _, label in sorted(labels.items()))
        lack = "none" if not inside else "all"
        raise WeightsError(
            f"The labels of {name} are {told}, and {lack} of them are known to mean AI: name those that do in a "
            f'profile, [options.{name}] ai_labels = "LABEL, ...".'
        )
    return inside, outside


def _model(weights: Installed) -> Any:
    from transformers import AutoModelForImageClassification

    from img_ml.weights.pretrained import config_of, pretrained

    return pretrained(AutoModelForImageClassification, weights, config_of(weights))


def _signal(classifier: HubClassifier, voting: Voting, sample: ImageSample, outputs: "Outputs") -> Signal:
    probability = voting.probability(outputs)
    seen = "" if voting.votes == 1 else f", by {voting.votes} views"
    sentence = f"{classifier.title} gives a probability of {probability:.0%} for AI{seen}."
    return Measured(classifier.name, {classifier.number: probability}, sentence)
