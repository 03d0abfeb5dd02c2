"""Several frames of an animation, each judged by itself; the verdict is that of the middle one."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from forensics.errors import DecodeFailedError
from forensics.examine import Examined
from forensics.types import ImageSample
from fusion.verdict import Verdict

# The evidence in one frame, counted from 1, with its sample; JobError where there is none.
ExamineFrame = Callable[[int], Examined]


class Concludes(Protocol):
    """What has a verdict for each examined image."""

    def conclude(self, examined: Sequence[Examined]) -> list[Verdict]:
        """A verdict for each image, in order."""
        ...


def judge_frames(judge: Concludes, examine: ExamineFrame, frames: int = 1) -> tuple[Verdict, ImageSample]:
    """The verdict on a file of which up to `frames` frames are judged, spread evenly, and the frame that it is of.

    It is the frame of the middle probability, of two middle ones the lower; a frame that declares its origin goes
    first. Raises JobError where the first frame cannot be decoded; a later one that is damaged is left out.
    """
    first, sample = _verdict(judge, examine(1))
    if frames < 2 or sample.reading.frames < 2:
        return first, sample
    verdicts = [first, *_others(judge, examine, chosen_frames(sample.reading.frames, frames))]
    middle = _middle(verdicts)
    number = middle.evidence.reading.frame
    sample = sample if number == 1 else _sample(examine(number))
    reading = replace(sample.reading, frames_judged=len(verdicts))
    return replace(middle, evidence=replace(middle.evidence, reading=reading)), replace(sample, reading=reading)


def chosen_frames(there: int, wanted: int) -> tuple[int, ...]:
    """The numbers of up to `wanted` frames, counted from 1, from the first to the last, evenly spread."""
    wanted = min(wanted, there)
    if wanted < 2:
        return (1,)
    return tuple(1 + index * (there - 1) // (wanted - 1) for index in range(wanted))


def _others(judge: Concludes, examine: ExamineFrame, numbers: tuple[int, ...]) -> Iterator[Verdict]:
    """The verdicts on all but the first frame; one frame is in memory at a time."""
    for number in numbers[1:]:
        with contextlib.suppress(DecodeFailedError):
            yield _verdict(judge, examine(number))[0]


def _verdict(judge: Concludes, examined: Examined) -> tuple[Verdict, ImageSample]:
    (verdict,) = judge.conclude([examined])
    return verdict, _sample(examined)


def _sample(examined: Examined) -> ImageSample:
    assert examined.sample is not None
    return examined.sample


def _middle(verdicts: list[Verdict]) -> Verdict:
    declared = [verdict for verdict in verdicts if verdict.basis == "provenance"]
    if declared:
        return declared[0]
    weighed = sorted((v.fusion_prob, place) for place, v in enumerate(verdicts) if v.fusion_prob is not None)
    return verdicts[weighed[(len(weighed) - 1) // 2][1]] if weighed else verdicts[0]
