"""Checks of single EXIF fields: dates, position, exposure and lens. What is absent or unset is never wrong."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import piexif

EARLIEST = 1990
# The year after this release: a verdict on the same bytes does not depend on today's date.
LATEST = 2027
DATES = ("DateTime", "DateTimeOriginal", "DateTimeDigitized")
# Metres: from below the Dead Sea to above where airliners fly.
_LOWEST, _HIGHEST = -500, 20_000
# Stops of light at ISO 100, from starlight to the sun itself.
_DARKEST, _BRIGHTEST = -14, 23
# How far a zoom's focal length may lie outside its own range: cameras round, and the longest extender doubles.
_ROUNDING, _EXTENDER = 0.1, 2
# Stops between a value and its APEX twin that are no rounding.
_APEX_TOLERANCE = 1.0

Tags = Mapping[str, Mapping[int, Any]]
_EXIF, _GPS = piexif.ExifIFD, piexif.GPSIFD


def given_dates(tags: Tags) -> dict[str, datetime | None]:
    """The dates that are set, None where one cannot be read."""
    values = (
        tags["0th"].get(piexif.ImageIFD.DateTime),
        tags["Exif"].get(_EXIF.DateTimeOriginal),
        tags["Exif"].get(_EXIF.DateTimeDigitized),
    )
    # Blank or zero dates are how cameras write "the clock was never set".
    return {name: date_of(v) for name, v in zip(DATES, values, strict=True) if re.search(r"[1-9]", text_of(v))}


def date_anomaly(given: Mapping[str, datetime | None]) -> bool:
    """A date that is none, one before digital cameras or after this release, or an original after its modification."""
    if any(date is None or not EARLIEST <= date.year <= LATEST for date in given.values()):
        return True
    modified, original = given.get("DateTime"), given.get("DateTimeOriginal")
    return bool(modified and original and original > modified + timedelta(days=1))


def gps_anomaly(gps: Mapping[int, Any]) -> bool:
    """A position that is out of range, not a number, or exactly where an unset one lies."""
    latitude, longitude = gps.get(_GPS.GPSLatitude), gps.get(_GPS.GPSLongitude)
    if _is_unset(latitude) and _is_unset(longitude):
        return False
    north, east = _degrees(latitude), _degrees(longitude)
    if math.isnan(north) or math.isnan(east):
        return True
    if north > 90 or east > 180 or (north == 0 and east == 0):
        return True
    references = ((gps.get(_GPS.GPSLatitudeRef), "NS"), (gps.get(_GPS.GPSLongitudeRef), "EW"))
    if any(text_of(written)[:1] not in allowed for written, allowed in references):
        return True
    altitude = ratio_of(gps.get(_GPS.GPSAltitude))
    below = gps.get(_GPS.GPSAltitudeRef) in (1, b"\1")
    return not math.isnan(altitude) and not _LOWEST <= (-altitude if below else altitude) <= _HIGHEST


def _is_unset(value: Any) -> bool:
    """Whether a coordinate is absent, or written as cameras without a fix write it."""
    return value is None or (isinstance(value, tuple) and all(part == (0, 0) for part in value))


def exposure_anomaly(exif: Mapping[int, Any]) -> bool:
    """An exposure that no light needs, a value unlike its APEX twin, or a lens used outside its own range."""
    return _impossible_light(exif) or _unlike_apex(exif) or _outside_lens(exif)


def _impossible_light(exif: Mapping[int, Any]) -> bool:
    seconds, aperture = ratio_of(exif.get(_EXIF.ExposureTime)), ratio_of(exif.get(_EXIF.FNumber))
    speed = whole_of(exif.get(_EXIF.ISOSpeedRatings))
    if not (seconds > 0 and aperture > 0 and speed > 0):
        return False
    stops = math.log2(aperture**2 / seconds) - math.log2(speed / 100)
    return not _DARKEST <= stops <= _BRIGHTEST


def _unlike_apex(exif: Mapping[int, Any]) -> bool:
    seconds, shutter = ratio_of(exif.get(_EXIF.ExposureTime)), ratio_of(exif.get(_EXIF.ShutterSpeedValue))
    aperture, stops = ratio_of(exif.get(_EXIF.FNumber)), ratio_of(exif.get(_EXIF.ApertureValue))
    pairs = (
        (seconds, -math.log2(seconds) if seconds > 0 else math.nan, shutter),
        (aperture, 2 * math.log2(aperture) if aperture > 0 else math.nan, stops),
    )
    # Zero is how cameras without the value write it, and some phones and drones write the value itself.
    return any(
        abs(apex - twin) > _APEX_TOLERANCE and abs(twin / value - 1) > _ROUNDING for value, apex, twin in pairs if twin
    )


def _outside_lens(exif: Mapping[int, Any]) -> bool:
    match exif.get(_EXIF.LensSpecification):
        case (shortest, longest, *_):
            low, high = ratio_of(shortest), ratio_of(longest)
        case _:
            return False
    length = ratio_of(exif.get(_EXIF.FocalLength))
    if not (0 < low <= high and length > 0):
        return False
    return not low * (1 - _ROUNDING) <= length <= high * _EXTENDER * (1 + _ROUNDING)


def _degrees(value: Any) -> float:
    if not isinstance(value, tuple) or len(value) != 3:
        return math.nan
    # Minutes with decimals leave the seconds unset.
    degrees, minutes, seconds = (0.0 if at == 2 and part == (0, 0) else ratio_of(part) for at, part in enumerate(value))
    if not (minutes < 60 and seconds < 60.01):
        return math.nan
    return degrees + minutes / 60 + seconds / 3600


def ratio_of(value: Any) -> float:
    """A rational as a float; NaN where it is none."""
    match value:
        case (int(numerator), int(denominator)) if denominator:
            return numerator / denominator
    return math.nan


def whole_of(value: Any) -> int:
    """A whole number, of several the first; 0 where it is none."""
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else 0


def text_of(value: Any) -> str:
    """A text without the padding around it; empty where it is none."""
    return value.decode("utf-8", "replace").strip("\0 ") if isinstance(value, bytes) else ""


def date_of(value: Any) -> datetime | None:
    """A date as EXIF writes it; None where it is none."""
    try:
        return datetime.strptime(text_of(value)[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
