"""Provenance as one signal: claims counted and told, silence told as silence; real files checked where they are."""

import csv
import json
from pathlib import Path

import pytest

from forensics.analyzers.provenance import analyze
from forensics.reading.decode import decode
from forensics.types import Claim, Measured
from tests.forensics.provenance.files import png, sample, saved


def measured(data: bytes) -> Measured:
    signal = analyze(sample(data))
    assert isinstance(signal, Measured)
    return signal


def test_silence_says_nothing() -> None:
    signal = measured(saved("JPEG"))
    assert signal.claims == ()
    assert signal.numbers["provenance_ai_claims"] == 0
    assert "says nothing" in signal.sentence


def test_claims_are_counted_and_told() -> None:
    signal = measured(png({"prompt": json.dumps({"1": {"class_type": "KSampler"}}), "AIGC": '{"Label": "1"}'}))
    assert signal.numbers["provenance_ai_claims"] == 2
    assert "ComfyUI" in signal.sentence
    assert "1 more" in signal.sentence


def claims_of(path: Path) -> tuple[Claim, ...]:
    signal = analyze(decode(path.read_bytes()))
    assert isinstance(signal, Measured)
    return signal.claims


@pytest.mark.shared
def test_every_generators_file_is_found_and_no_photograph_or_painting_is_accused(shared_data: Path) -> None:
    folder = shared_data / "originals"
    with (folder / "originals.csv").open() as file:
        rows = list(csv.DictReader(file))
    accused = {row["filepath"] for row in rows if any(c.says_ai for c in claims_of(folder / row["filepath"]))}
    written = {row["filepath"] for row in rows if row["has_generator_metadata"] == "1"}
    held_out_probability = {row["filepath"] for row in rows if row["label"] == "0"}
    assert len(written) >= 10
    assert written <= accused
    assert not accused & held_out_probability
