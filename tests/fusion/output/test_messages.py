"""No English is left in another language: what code can tell is looked for in the catalogue, form by form."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from forensics.analyzers import exif
from forensics.provenance import c2pa, standards
from forensics.provenance.claims import created, edited
from forensics.provenance.manifests import Manifest
from forensics.registry import Registered, entries
from forensics.types import Reading
from fusion.features import Feature
from fusion.model import Reference
from fusion.output.messages import LANGUAGES, Messages, retelling
from fusion.output.messages.forms import form_of
from fusion.output.reading import reading_sentences
from fusion.reasons import _told as reason_told
from img_ml import profiles as _profiles  # noqa: F401 - importing it registers every detector

ROOT = Path(__file__).parents[3]
OTHERS = [language for language in LANGUAGES if language != "en"]
pytestmark = pytest.mark.parametrize("language", OTHERS)
# Where errors are raised whose sentence a reader of a verdict or of the page sees.
ROOMS = ("forensics/reading", "worker/fetching", "worker/pipeline", "worker/web", "worker/streams/messages.py")
SEEN = {
    "NotAnImageError",
    "TooManyPixelsError",
    "DecodeFailedError",
    "BadJobError",
    "BlockedUrlError",
    "FetchFailedError",
    "TooLargeError",
    "InternalError",
    "Problem",
    "try_later",
}
CLAIMS = {"created", "edited", "possibly_created", "make"}


def files(*places: str) -> list[Path]:
    return [path for place in places for path in (sorted((ROOT / place).rglob("*.py")) or [ROOT / place])]


def calls(path: Path, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def text_of(node: ast.expr) -> str | None:
    """The text that an expression may give, with 7 where it depends on values; None where it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or "" for part in parts)
        case ast.FormattedValue(value=ast.Name(id="by")):
            return " by 7"
        case ast.FormattedValue(value=inner):
            return "7" if (text := text_of(inner)) is None else text
        case ast.BoolOp(values=[*_, last]):
            return text_of(last)
        case ast.IfExp(body=body):
            return text_of(body)
    return None


def refusals() -> list[str]:
    """The sentences of all errors that a reader sees."""
    found = (
        text_of(argument)
        for path in files(*ROOMS)
        for call in calls(path, SEEN)
        for argument in call.args[:2]
        if not isinstance(argument, ast.Name)
    )
    return [text for text in found if text and " " in text and not text.startswith("7;")]


def claims() -> list[str]:
    """The sentences of unsigned declarations."""
    found = [
        (text_of(call.args[1]), make)
        for path in files("forensics/provenance")
        for call in calls(path, CLAIMS)
        for make in (created, edited)
        if len(call.args) > 1
    ]
    return [make("XMP", text).statement for text, make in found if text and " " in text]


def test_every_refusal_is_in_the_catalogue(language: str) -> None:
    told = retelling(language).told
    assert len(refusals()) > 60
    assert [text for text in refusals() if told(text) is None] == []


def test_every_declaration_is_in_the_catalogue(language: str) -> None:
    told = retelling(language).told
    fixed = (*c2pa._BROKEN.values(), *standards._TOLD.values(), *standards._TC260.values())
    assert len(claims()) > 5
    assert [text for text in (*claims(), *fixed) if told(text) is None] == []


def test_every_standing_of_a_signature_is_in_the_catalogue(language: str) -> None:
    told = retelling(language).told
    for standing in (*c2pa._STANDING.values(), "no trusted time stamp says when it signed"):
        for earlier in (False, True):
            for declares in (None, "ai_created", "ai_edited"):
                content = c2pa._content(Manifest({}, True, earlier), declares, "Firefly")
                other = told(f"An intact C2PA signature by Adobe (Inc.) ({standing}) {content}.")
                assert other is not None, standing
                assert "Adobe (Inc.)" in other
                assert content not in other


def test_every_finding_about_exif_is_in_the_catalogue(language: str) -> None:
    told = retelling(language).told
    source = ast.parse(Path(exif.__file__).read_text("utf-8"))
    (function,) = (node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "_sentence")
    found = [text_of(n) for n in ast.walk(function) if isinstance(n, (ast.Constant, ast.JoinedStr))]
    whole = ("The file carries", "7 7", " expected fields")
    phrases = [text for text in found if text and " " in text.strip() and not any(part in text for part in whole)]
    phrases += [text for text in exif._CAMERA_TOLD.values() if text]
    assert len(phrases) > 8
    assert [text for text in phrases if told(text) is None] == []


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.spec.name)
def test_every_detector_is_declared_in_every_language(language: str, entry: Registered) -> None:
    spec, told = entry.spec, retelling(language).told
    weighed = [n for n in spec.numbers if n in spec.offered or n.headline]
    aspects = [n.aspect or spec.title for n in weighed if spec.offered]
    texts = [spec.title, spec.looks_at, *aspects, *(n.meaning for n in weighed if spec.offered)]
    assert [text for text in texts if told(text) is None] == []


@pytest.mark.parametrize("value", [0.05, 0.5, 0.95, np.nan])
@pytest.mark.parametrize("reference", [Reference(0.1, 0.9, 1.0), Reference(np.nan, np.nan, 0.0)])
@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_every_reason_is_told_in_every_language(
    language: str, value: float, reference: Reference, weight: float
) -> None:
    feature = Feature(
        "crop_network_prob", "crop_network", 1, "probability of AI by a small network on native crops", "network"
    )
    told = retelling(language).told(reason_told(feature, value, reference, weight))
    assert told is not None
    assert feature.meaning not in told


def test_values_are_kept_and_numbers_are_written_as_the_language_does(language: str) -> None:
    told = retelling(language)
    sentence = "The file is a JPEG of about quality 96.5; its coefficients look compressed twice."
    assert (
        told(sentence)
        == "Die Datei ist ein JPEG der Qualität 96,5 (ungefähr); die Koeffizienten sehen zweimal komprimiert aus."
    )
    assert told("A sentence that nobody wrote down.") == "A sentence that nobody wrote down."
    assert Messages(language).number(-0.5, "+.2f") == "-0,50"


def test_a_declaration_among_others_is_told_with_their_number(language: str) -> None:
    statement = created("IPTC Credit", "Grok generated it").statement
    assert retelling(language)(f"{statement} (2 more)") == (
        "Die Datei selbst gibt an: Grok hat es erzeugt (IPTC Credit, ohne Signatur). (2 weitere)"
    )


def test_each_form_finds_itself(language: str) -> None:
    """A form that another one hides would be told with the other's words."""
    english, other = Messages("en"), Messages(language)
    told = retelling(language).told
    for name, text in english._texts.items():
        if name.startswith("told.") and "!s" not in text:  # which holds a whole sentence
            form = form_of(text)
            sample = form.literals[0] + "".join(f"7{literal}" for literal in form.literals[1:])
            wanted = form_of(other._texts[name])
            filled = wanted.literals[0] + "".join(f"7{literal}" for literal in wanted.literals[1:])
            assert (told(sample) or "").lower() == filled.lower(), name


def test_how_a_file_was_read_is_told_in_every_language(language: str) -> None:
    reading = Reading(
        missing=0.25, damaged=True, trailing_bytes=1234, frames=12, frame=3, frames_judged=5, reduced_by=2
    )
    english, other = (reading_sentences(reading, Messages(one)) for one in ("en", language))
    assert len(english) == len(other) == 4
    assert not set(english) & set(other)
    assert "1.234" in other[3]
