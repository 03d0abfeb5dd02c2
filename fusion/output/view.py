"""A verdict as people read it: the answer in plain words first, for the terminal, the report and the page alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from forensics.errors import RegistryError
from forensics.registry import get
from fusion.output.messages import Messages
from fusion.output.reading import reading_of, reading_sentences

Tone = Literal["ai", "non_ai", "uncertain", "error"]
_LABELS: Mapping[str, Tone] = {"AI": "ai", "NON-AI": "non_ai", "UNCERTAIN": "uncertain"}
_MOST_SKIPPED = 5
# A gauge needs a place for its marks where a model of an earlier release tells none.
_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One weighed reason: its share of the log-odds, the direction in words, and the sentence without either."""

    weight: float
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """What is shown of one result document.

    `answer` is the verdict in plain words, `notes` what the answer rests on, `cautions` what it does not mean.
    `weighed` and `measured` are (title of the detector, sentence), of those the fusion weighed and of the others.
    `facts` are (name, value) of the file. `probability` and the thresholds (`non_ai`, `ai`) are in [0, 1], or None.
    """

    name: str
    tone: Tone
    label: str
    answer: str
    notes: tuple[str, ...]
    probability: float | None
    thresholds: tuple[float, float] | None
    claims: tuple[str, ...]
    reasons: tuple[ReasonView, ...]
    weighed: tuple[tuple[str, str], ...]
    measured: tuple[tuple[str, str], ...]
    skipped: str
    cautions: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    model: str


def view(document: Mapping[str, Any], name: str, say: Messages) -> ResultView:
    """The view of a result document; `name` is what the reader calls the image."""
    if document["status"] != "done":
        return _of_error(document, name, say)
    probability = document["fusion_prob"]
    model = document["model"] or {}
    told = model.get("thresholds")
    thresholds = None if told is None else (told["non_ai"], told["ai"])
    signals = [
        (_title(one, say), say.retold(part["sentence"]), part.get("weighed", False))
        for one, part in document["signals"].items()
    ]
    return ResultView(
        name=name,
        tone=_LABELS[document["label"]],
        label=say(f"label.{_LABELS[document['label']]}"),
        answer=_answer(document, say),
        notes=_notes(document, thresholds, say),
        probability=probability,
        thresholds=thresholds,
        claims=tuple(say.retold(claim["statement"]) for claim in document["provenance"]),
        reasons=tuple(_reason(one, say) for one in document["reasons"] if document.get("not_judged") is None),
        weighed=tuple((one, sentence) for one, sentence, weighed in signals if weighed),
        measured=tuple((one, sentence) for one, sentence, weighed in signals if not weighed),
        skipped=_skipped(document["skipped"], say),
        cautions=_cautions(document, say),
        facts=_facts(document, say),
        model=say("model", profile=model.get("profile", ""), fingerprint=model.get("fingerprint", "")),
    )


def _of_error(document: Mapping[str, Any], name: str, say: Messages) -> ResultView:
    error = document["error"] or {}
    note = f"{say.retold(error.get('message', ''))} ({error.get('code', '')})"
    return ResultView(
        name, "error", "", say("answer.error"), (note,), None, None, (), (), (), (), "", (), _facts(document, say), ""
    )


def _answer(document: Mapping[str, Any], say: Messages) -> str:
    label, probability = document["label"], document["fusion_prob"]
    if document["label_basis"] == "provenance" and label == "AI":
        return say("answer.declared")
    if label in ("AI", "NON-AI"):
        return say("answer.ai" if label == "AI" else "answer.non_ai")
    if document.get("not_judged") is not None:
        return say("answer.not_judged")
    if probability is None:
        return say("answer.none")
    leaning = document.get("leaning")
    leans_ai = probability >= _EVEN if leaning is None else leaning == "ai"
    return say("answer.leans_ai" if leans_ai else "answer.leans_non_ai")


def _notes(document: Mapping[str, Any], thresholds: tuple[float, float] | None, say: Messages) -> tuple[str, ...]:
    found = []
    probability = document["fusion_prob"]
    if document.get("not_judged") is not None:
        found += [say.retold(reason["sentence"]) for reason in document["reasons"]]
    if document["label_basis"] == "provenance":
        found.append(_beside_the_declaration(probability, thresholds, say))
    elif any(claim["says_ai"] and not claim["decisive"] for claim in document["provenance"]):
        found.append(say("note.declared_not_decisive"))
    if (document["model"] or {}).get("fusion") == "prior":
        found.append(say("note.prior"))
    found += reading_sentences(reading_of(document["image"]), say)
    return tuple(found)


def _beside_the_declaration(probability: float | None, thresholds: tuple[float, float] | None, say: Messages) -> str:
    """What the pixels say where the label rests on what the file declares."""
    if probability is None:
        return say("note.declared_alone")
    _, high = thresholds or (_EVEN, _EVEN)
    name = "agrees" if probability >= high else "contradicts" if probability < _EVEN else "open"
    return say(f"note.declared_{name}", probability=f"{probability:.0%}")


def _reason(reason: Mapping[str, Any], say: Messages) -> ReasonView:
    # The direction and the weight have places of their own.
    text = reason["sentence"].rpartition("; speaks for")[0] or reason["sentence"]
    return ReasonView(
        reason["weight"], say("direction.ai" if reason["weight"] > 0 else "direction.non_ai"), say.retold(text)
    )


def _title(detector: str, say: Messages) -> str:
    """What people call the detector; its name where this installation does not know it."""
    from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

    try:
        return say.retold(get(detector).spec.title)
    except RegistryError:
        return detector


def _skipped(skipped: Mapping[str, str], say: Messages) -> str:
    """The skipped detectors in one line: five by name, the others by number."""
    if not skipped:
        return ""
    names = ", ".join(_title(name, say) for name in list(skipped)[:_MOST_SKIPPED])
    if len(skipped) > _MOST_SKIPPED:
        names = say("skipped.more", names=names, count=len(skipped) - _MOST_SKIPPED)
    return say("skipped.all", names=names)


def _cautions(document: Mapping[str, Any], say: Messages) -> tuple[str, ...]:
    if document["label_basis"] == "provenance":
        return (say("caution.declared"),)
    name = _LABELS[document["label"]]
    half = (say("caution.half"),) if document["fusion_prob"] is not None else ()
    return (say(f"caution.{name}"), *half)


def _facts(document: Mapping[str, Any], say: Messages) -> tuple[tuple[str, str], ...]:
    image = document["image"]
    shape: tuple[tuple[str, str], ...] = ()
    if image is not None:
        size = f"{image['width']} x {image['height']}"
        shape = ((say("fact.size"), size), (say("fact.type"), image["media_type"]))
    digest = document["image_sha256"]
    return (*shape, *((("SHA-256", digest),) if digest else ()))
