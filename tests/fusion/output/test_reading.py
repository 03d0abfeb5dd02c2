"""How a file was read is told in sentences, and nothing is said of a whole picture."""

import pytest

from forensics.types import Reading
from fusion.output.messages import Messages
from fusion.output.reading import reading_of, reading_sentences

SAY = Messages("en")


def test_of_a_whole_picture_nothing_is_said() -> None:
    assert reading_sentences(Reading(), SAY) == []


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (Reading(missing=0.25, damaged=True), "25% of the picture is missing"),
        (Reading(missing=0.004, damaged=True), "less than 1% of the picture is missing"),
        (Reading(damaged=True), "every row of the picture is there"),
        (Reading(damaged=True, coarse=True), "its finest detail is missing"),
        (Reading(reduced_by=2), "judged at 1/2 size"),
        (Reading(frames=12), "an animation of 12 frames"),
        (Reading(trailing_bytes=1234), "1,234 bytes follow the end of the image"),
    ],
)
def test_each_way_of_reading_has_one_sentence(reading: Reading, told: str) -> None:
    (sentence,) = reading_sentences(reading, SAY)
    assert told in sentence


def test_a_reading_comes_back_from_the_image_part_of_a_document() -> None:
    image = {"media_type": "image/jpeg", "width": 3, "height": 2, "missing": 0.5, "damaged": True, "frames": 2}
    assert reading_of(image) == Reading(missing=0.5, damaged=True, frames=2)
