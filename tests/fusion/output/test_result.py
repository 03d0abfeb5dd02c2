"""The result document: complete, finite, and as the committed schema says."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from forensics.types import Claim, Evidence, Measured, Skipped
from fusion.output.result import CONTRACT_NUMBERS, result_document
from fusion.verdict import Reason, Verdict

SCHEMA = Path(__file__).parents[3] / "docs" / "schema" / "verdict.schema.json"


def verdict(**changes: object) -> Verdict:
    signals = (
        Measured("exif", {"exif_score": 0.5, "has_exif": math.nan}, "A sentence."),
        Measured("noise", {"noise_sigma": 1 / 3}, "Another."),
        Skipped("spectrum", "too small"),
    )
    parts: dict = {
        "label": "AI",
        "basis": "pixels",
        "fusion_prob": 0.91234567,
        "confidence": 0.91234567,
        "reasons": (Reason("Grain: so; speaks for AI (+1.23 log-odds).", "grain", 1.23456),),
        "claims": (),
        "evidence": Evidence("a" * 64, "image/png", 3, 4, signals, {"exif": 0.12345678}),
        "profile": "light",
        "fingerprint": "f" * 16,
    }
    return Verdict(**(parts | changes))


def document(**changes: object) -> dict:
    made = result_document(verdict(**changes), job_id="j", client_id="c", image_url="u", timings_ms={"fetch": 1.5})
    jsonschema.validate(made, json.loads(SCHEMA.read_text()))
    json.dumps(made, allow_nan=False)
    return made


def test_what_could_not_be_measured_is_null() -> None:
    made = document()
    assert made["signals"]["exif"]["numbers"] == {"exif_score": 0.5, "has_exif": None}
    assert made["skipped"] == {"spectrum": "too small"}


def test_headline_numbers_stand_at_the_top_and_are_null_when_nobody_measured_them() -> None:
    made = document()
    assert made["exif_score"] == 0.5
    assert [made[name] for name in CONTRACT_NUMBERS if name != "exif_score"] == [None] * 8


def test_a_former_name_carries_the_same_number_for_one_version() -> None:
    seen = Measured("crop_network", {"crop_network_prob": 0.25}, "A sentence.")
    made = document(evidence=replace(verdict().evidence, signals=(seen,)))
    assert (made["residual_prob"], made["crop_network_prob"]) == (0.25, 0.25)
    assert (document()["residual_prob"], document()["crop_network_prob"]) == (None, None)


def test_reasons_are_told_and_weighed() -> None:
    made = document()
    assert made["reasoning"] == ["Grain: so; speaks for AI (+1.23 log-odds)."]
    assert made["reasons"] == [{"aspect": "grain", "weight": 1.2346, "sentence": made["reasoning"][0]}]


def test_a_declared_label_says_what_it_rests_on() -> None:
    claim = Claim("C2PA", True, True, "It is declared.", "Dreamer")
    made = document(basis="provenance", claims=(claim,), confidence=None)
    assert made["reasoning"][:2] == [
        "The label rests on what the file declares about itself, not on its pixels.",
        "It is declared.",
    ]
    assert made["provenance"][0]["decisive"] is True
    assert made["confidence"] is None


def test_no_probability_is_told_as_such() -> None:
    made = document(label="UNCERTAIN", fusion_prob=None, confidence=None, reasons=())
    assert made["reasoning"] == ["Too little could be measured in this image to give a probability."]


def test_no_reason_strong_enough_is_told_as_such() -> None:
    assert "Nothing that was measured" in document(reasons=())["reasoning"][0]


def test_timings_of_detectors_and_of_the_caller_stand_together() -> None:
    assert document()["timings_ms"] == {"exif": 0.123, "fetch": 1.5}


@pytest.mark.parametrize("wrong", [{"fusion_prob": 1.5}, {"label": "MAYBE"}])
def test_an_impossible_verdict_cannot_be_written(wrong: dict) -> None:
    with pytest.raises(ValueError, match="validation error"):
        result_document(verdict(**wrong))


def test_the_document_says_whether_the_fusion_was_trained() -> None:
    told = {"profile": "light", "fingerprint": "f" * 16, "fusion": "trained", "thresholds": None}
    assert document()["model"] == told
    assert document(thresholds=(0.2, 0.9))["model"]["thresholds"] == {"non_ai": 0.2, "ai": 0.9}
    assert document(fusion="prior")["model"]["fusion"] == "prior"
