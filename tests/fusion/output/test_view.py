"""What people read: the answer in plain words, in each language, and nothing that contradicts itself."""

import tomllib
from importlib import resources

import pytest

from fusion.output.messages import LANGUAGES, Messages, messages
from fusion.output.result import result_document
from fusion.output.view import view
from tests.fusion.output.test_result import verdict

SAY = Messages("en")


def shown(**changes: object):
    return view(result_document(verdict(**changes)), "a.jpg", SAY)


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"label": "AI", "fusion_prob": 0.95}, "Likely AI-generated"),
        ({"label": "NON-AI", "fusion_prob": 0.05}, "Likely not AI-generated"),
        ({"label": "UNCERTAIN", "fusion_prob": 0.7}, "Leans towards AI, not enough to say so"),
        ({"label": "UNCERTAIN", "fusion_prob": 0.3}, "Leans towards not AI, not enough to say so"),
        ({"label": "UNCERTAIN", "fusion_prob": None, "confidence": None}, "No answer: too little could be measured"),
        ({"label": "AI", "basis": "provenance", "fusion_prob": 0.2}, "AI-generated, as the file itself declares"),
    ],
)
def test_the_answer_stands_in_plain_words(changes: dict, answer: str) -> None:
    assert shown(**({"basis": "pixels"} | changes)).answer == answer


@pytest.mark.parametrize(
    ("probability", "word"), [(0.95, "same way"), (0.2, "other way"), (0.6, "do not decide"), (None, "no probability")]
)
def test_beside_a_declaration_stands_what_the_pixels_say(probability: float | None, word: str) -> None:
    told = shown(label="AI", basis="provenance", fusion_prob=probability, confidence=None, thresholds=(0.2, 0.9))
    assert word in told.notes[0]


def test_what_is_weighed_stands_apart_from_what_is_only_measured() -> None:
    assert [name for name, _ in shown().measured] == ["Camera metadata", "Noise residual"]
    assert [name for name, _ in shown(weighed=frozenset({"exif"})).weighed] == ["Camera metadata"]


def test_at_most_five_skipped_detectors_are_named_in_one_line() -> None:
    document = result_document(verdict()) | {"skipped": {f"d{n}": "no weights" for n in range(8)}}
    assert view(document, "a", SAY).skipped == "Not run: d0, d1, d2, d3, d4 and 3 more"


def test_every_language_has_every_message_with_the_same_values() -> None:
    def fields(language: str) -> dict[str, set[str]]:
        import string

        said = Messages(language)._texts
        return {name: {f for _, f, _, _ in string.Formatter().parse(text) if f} for name, text in said.items()}

    declared = ("detector.", "aspect.", "number.")  # whose English stands in the detectors' declarations
    assert {name: found for name, found in fields("de").items() if not name.startswith(declared)} == fields("en")


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("de-DE,de;q=0.9,en;q=0.5", "de"), ("en;q=0.4, de;q=0.6", "de"), ("fr", "en"), ("", "en"), (";q=x,,de;q=", "de")],
)
def test_the_most_wanted_language_that_is_known_is_spoken(wanted: str, language: str) -> None:
    assert messages(wanted).language == language


def test_who_asks_for_no_known_language_gets_the_one_of_the_settings() -> None:
    assert messages("fr", "de_AT.UTF-8").language == "de"
    assert messages("en", "de").language == "en"


def test_the_catalogues_are_the_files_of_the_languages() -> None:
    found = {f.name for f in (resources.files("fusion.output") / "messages").iterdir() if f.name.endswith(".toml")}
    assert found == {f"{language}.toml" for language in LANGUAGES}
    for name in found:
        assert tomllib.loads((resources.files("fusion.output") / "messages" / name).read_text("utf-8"))
