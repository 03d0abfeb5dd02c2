"""How a file was read, in sentences for the verdict; nothing is said of a file that is one whole picture."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from forensics.types import Reading
from fusion.output.messages import Messages


def reading_sentences(reading: Reading, say: Messages) -> list[str]:
    """What the verdict leaves out or does not cover, most important first."""
    told = []
    if reading.missing > 0:
        told.append(say("reading.missing", share=_share(reading.missing, say)))
    elif reading.coarse:
        told.append(say("reading.coarse"))
    elif reading.damaged:
        told.append(say("reading.damaged"))
    if reading.reduced_by > 1:
        told.append(say("reading.reduced", divisor=reading.reduced_by))
    if reading.frames > 1:
        told.append(_of_frames(reading, say))
    if reading.trailing_bytes > 0:
        told.append(say("reading.trailing", count=say.number(reading.trailing_bytes, ",")))
    return told


def reading_of(image: Mapping[str, Any]) -> Reading:
    """The reading as the `image` part of a result document tells it."""
    return Reading(**{field.name: image[field.name] for field in fields(Reading) if field.name in image})


def _of_frames(reading: Reading, say: Messages) -> str:
    name = "frames" if reading.frames_judged > 1 else "first_frame" if reading.frame == 1 else "one_frame"
    return say(f"reading.{name}", frames=reading.frames, frame=reading.frame, judged=reading.frames_judged)


def _share(missing: float, say: Messages) -> str:
    return f"{missing:.0%}" if missing >= 0.01 else say("reading.share")
