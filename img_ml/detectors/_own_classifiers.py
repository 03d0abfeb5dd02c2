"""Published classifiers that a profile file names: checked, and added to the registry and the table of weights.

[classifiers.my_detector]
repository = "someone/some-classifier"
ai_labels = ["artificial"]
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from forensics.errors import ArtifactError
from forensics.registry import TIERS, Detector, detector, entries, get
from img_ml.detectors._hub_classifier import HubClassifier, load_classifier, published_classifier, spec_of
from img_ml.weights.record import WeightsRecord
from img_ml.weights.table import records

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# As the hub allows it.
_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(f"{_PART}/{_PART}", re.ASCII)
_NEEDED, _OPTIONAL = ("repository", "ai_labels"), ("title", "revision", "licence")


def add_classifiers(tables: Mapping[str, Any]) -> None:
    """Make detectors of the tables `[classifiers.NAME]`; again is nothing new.

    Raises ArtifactError where a table says too little or too much, or its name is taken.
    """
    for name, table in tables.items():
        _add(name, table)


def _add(name: str, table: object) -> None:
    if not _NAME.fullmatch(name):
        raise ArtifactError(f"The classifier {name!r} needs a name of small letters, digits and underscores.")
    known = (*_NEEDED, *_OPTIONAL)
    if not isinstance(table, dict) or not set(_NEEDED) <= set(table) <= set(known):
        raise ArtifactError(
            f"[classifiers.{name}] needs {' and '.join(_NEEDED)}, and may have {', '.join(_OPTIONAL)}; nothing else."
        )
    repository, labels = str(table["repository"]), table["ai_labels"]
    if not _REPOSITORY.fullmatch(repository):
        raise ArtifactError(f"The repository of [classifiers.{name}] is {repository!r}, not OWNER/NAME on the hub.")
    if not _are_labels(labels):
        raise ArtifactError(
            f'The ai_labels of [classifiers.{name}] are not a list of texts: write ["artificial"], for example.'
        )
    classifier = HubClassifier(
        name=name,
        title=str(table.get("title", name)),
        ai_labels=tuple(labels),
        fails_when="nobody has said where",
        source=f"{repository} on the Hugging Face hub, named in a profile file",
    )
    revision, licence = str(table.get("revision", "main")), str(table.get("licence", "unknown"))
    load = partial(load_classifier, classifier)
    # Profiles of every size take it where they name it.
    record = published_classifier(name, repository, licence, revision=revision, tier=TIERS[0])
    if _is_new(classifier, load, record):
        detector(spec_of(classifier), weights=(record,))(load)


def _are_labels(labels: object) -> bool:
    return isinstance(labels, Sequence) and not isinstance(labels, str) and all(isinstance(one, str) for one in labels)


def _is_new(classifier: HubClassifier, load: partial[Detector], record: WeightsRecord) -> bool:
    """Whether no detector has that name; ArtifactError where another one, or other weights have it."""
    name = classifier.name
    if name in {entry.spec.name for entry in entries()}:
        entry = get(name)
        same = (spec_of(classifier), (record,), load.args)
        if (entry.spec, entry.weights, getattr(entry.load, "args", ())) != same:
            raise ArtifactError(f"There is already a detector named {name!r}: choose another name.")
        return False
    if name in {known.name for known in records()}:
        raise ArtifactError(f"There are already weights named {name!r}: choose another name.")
    return True
