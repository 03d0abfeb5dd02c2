"""Of an animation one frame is judged, or several: the verdict is that of the middle one, and says so."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from forensics.errors import DecodeFailedError
from forensics.examine import Examined
from forensics.reading.decode import DecodeLimits, decode
from forensics.sandbox.examination import examine_bytes
from forensics.types import Evidence, ImageSample
from fusion.frames import ExamineFrame, chosen_frames, judge_frames
from fusion.output.messages import messages
from fusion.output.reading import reading_sentences
from fusion.verdict import Verdict

SIDE = 64


def animation(kind: str, levels: Sequence[int]) -> bytes:
    """Frames of one grey level each."""
    first, *others = (Image.new("RGB", (SIDE, SIDE), (level, level, level)) for level in levels)
    target = io.BytesIO()
    first.save(target, kind, save_all=True, append_images=others, duration=100, lossless=True)
    return target.getvalue()


def frames_of(data: bytes) -> ExamineFrame:
    return lambda frame: examine_bytes(data, DecodeLimits(), (), True, frame)


class ByBrightness:
    """Gives each frame its brightness as probability, none where it is black; white ones declare their origin."""

    def __init__(self) -> None:
        self.judged: list[int] = []

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        return [self._verdict(one.sample) for one in examined]

    def _verdict(self, sample: ImageSample) -> Verdict:
        level = round(float(sample.pixels.mean()))
        self.judged.append(level)
        evidence = Evidence(sample.sha256, sample.media_type, SIDE, SIDE, (), reading=sample.reading)
        basis = "provenance" if level == 255 else "pixels"
        return Verdict("UNCERTAIN", basis, level / 255 if level else None, None, (), (), evidence, "p", "f")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_each_frame_is_decoded_as_it_is_shown(kind: str) -> None:
    data = animation(kind, [10, 80, 200])
    found = [decode(data, frame=number) for number in (1, 2, 3)]
    assert [round(float(one.pixels.mean()) / 10) for one in found] == [1, 8, 20]
    assert [(one.reading.frame, one.reading.frames) for one in found] == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(found[0].pixels, decode(data).pixels)
    with pytest.raises(DecodeFailedError):
        decode(data, frame=4)


def test_the_first_frame_alone_is_judged_unless_more_are_asked_for() -> None:
    judge = ByBrightness()
    verdict, sample = judge_frames(judge, frames_of(animation("GIF", [30, 90, 150])))
    assert judge.judged == [30]
    assert sample.reading == verdict.evidence.reading
    assert "3 frames: the first frame was judged" in reading_sentences(verdict.evidence.reading, messages("en"))[0]


def test_of_several_frames_the_middle_one_by_probability_is_told() -> None:
    judge = ByBrightness()
    verdict, sample = judge_frames(judge, frames_of(animation("GIF", [200, 10, 100, 240, 20])), frames=5)
    assert sorted(judge.judged) == [10, 20, 100, 200, 240]
    assert verdict.fusion_prob == pytest.approx(100 / 255)
    assert (sample.reading.frame, sample.reading.frames_judged) == (3, 5)
    assert round(float(sample.pixels.mean())) == 100
    (told,) = reading_sentences(verdict.evidence.reading, messages("en"))
    assert "5 of them were judged" in told
    assert "frame 3" in told


def test_of_two_middle_frames_the_lower_counts_and_frames_without_a_probability_do_not() -> None:
    verdict, _ = judge_frames(ByBrightness(), frames_of(animation("GIF", [0, 50, 100, 150, 200])), frames=5)
    assert verdict.fusion_prob == pytest.approx(100 / 255)
    verdict, _ = judge_frames(ByBrightness(), frames_of(animation("GIF", [0, 1])), frames=2)
    assert verdict.fusion_prob == pytest.approx(1 / 255)


def test_a_frame_that_declares_its_origin_goes_before_the_middle_one() -> None:
    verdict, sample = judge_frames(ByBrightness(), frames_of(animation("GIF", [10, 255, 20])), frames=3)
    assert verdict.basis == "provenance"
    assert sample.reading.frame == 2


def test_a_single_picture_is_judged_once_however_many_frames_are_asked_for() -> None:
    target = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (9, 9, 9)).save(target, "PNG")
    judge = ByBrightness()
    verdict, _ = judge_frames(judge, frames_of(target.getvalue()), frames=8)
    assert judge.judged == [9]
    assert verdict.evidence.reading.frames_judged == 1


@pytest.mark.parametrize(
    ("there", "wanted", "numbers"),
    [(24, 1, (1,)), (24, 2, (1, 24)), (24, 3, (1, 12, 24)), (3, 8, (1, 2, 3)), (1, 5, (1,))],
)
def test_frames_are_spread_from_the_first_to_the_last(there: int, wanted: int, numbers: tuple[int, ...]) -> None:
    assert chosen_frames(there, wanted) == numbers


def test_a_later_frame_that_is_damaged_is_left_out() -> None:
    data = animation("WEBP", [30, 90, 150])
    at = data.rindex(b"ANMF") + 8 + 16 + 8
    damaged = data[:at] + bytes(len(data) - at)
    judge = ByBrightness()
    verdict, _ = judge_frames(judge, frames_of(damaged), frames=3)
    assert verdict.evidence.reading.frames_judged == len(judge.judged) < 3
