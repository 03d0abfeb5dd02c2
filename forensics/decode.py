"""From a stranger's bytes to an ImageSample, safely: allow-listed formats, pixels capped before decoding."""

from dataclasses import dataclass

from forensics.types import ImageSample


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What the decoder refuses: `max_pixels` is width x height as the header announces it."""

    max_pixels: int = 50_000_000


def decode(data: bytes, limits: DecodeLimits = DecodeLimits()) -> ImageSample:
    """The sample in `data`; NotAnImageError, TooManyPixelsError or DecodeFailedError where there is none."""
    raise NotImplementedError
