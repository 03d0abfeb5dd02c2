"""How a file was read, in sentences for the verdict; nothing is said of a file that is one whole picture."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from forensics.types import Reading


def reading_sentences(reading: Reading) -> list[str]:
    """What the verdict leaves out or does not cover, most important first."""
    told = []
    if reading.missing > 0:
        told.append(
            f"The file ends early or is damaged: {_share(reading.missing)} of the picture is missing. "
            "The verdict is about the rest."
        )
    elif reading.coarse:
        told.append("The file ends early: the whole picture is there, but its finest detail is missing.")
    elif reading.damaged:
        told.append("The file ends early or is damaged, but every row of the picture is there.")
    if reading.reduced_by > 1:
        told.append(f"The picture is too large to be decoded in full: it was judged at 1/{reading.reduced_by} size.")
    if reading.frames > 1:
        told.append(f"The file is an animation of {reading.frames} frames: {_judged(reading)}.")
    if reading.trailing_bytes > 0:
        told.append(f"{reading.trailing_bytes:,} bytes follow the end of the image; they are not part of the picture.")
    return told


def reading_of(image: Mapping[str, Any]) -> Reading:
    """The reading as the `image` part of a result document tells it."""
    return Reading(**{field.name: image[field.name] for field in fields(Reading) if field.name in image})


def _judged(reading: Reading) -> str:
    if reading.frames_judged > 1:
        middle = f"the middle one by probability, frame {reading.frame}"
        return f"{reading.frames_judged} of them were judged, and the verdict is that of {middle}"
    return "the first frame was judged" if reading.frame == 1 else f"frame {reading.frame} was judged"


def _share(missing: float) -> str:
    return f"{missing:.0%}" if missing >= 0.01 else "less than 1%"
