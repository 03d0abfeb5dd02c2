"""EXIF: how plausible the camera metadata is. Its absence says nothing."""

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import piexif

from forensics.provenance.text import quoted
from forensics.reading.exif_tags import load_exif
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.types import ImageSample, Measured, Signal

# What each anomaly leaves of the score.
EDITED_KEEPS, DATE_KEEPS, GPS_KEEPS = 0.7, 0.5, 0.5
EARLIEST = 1990
_SOFTWARE = re.compile(
    r"photoshop|lightroom|gimp|affinity|snapseed|picsart|canva|pixelmator|capture one|darktable|luminar|paint|facetune|"
    r"meitu|vsco|acdsee|irfanview|firefly|stable diffusion|midjourney|dall|novelai|comfyui|invokeai|ideogram|"
    r"acd systems|finepix viewer|olympus master|quicktime|windows photo",
    re.I,
)
_DATES = ("DateTime", "DateTimeOriginal", "DateTimeDigitized")

SPEC = DetectorSpec(
    name="exif",
    title="Camera metadata",
    version=1,
    numbers=(
        Number("exif_score", 0, 1, "plausibility of the camera metadata", "camera metadata", headline=True),
        Number("has_exif", 0, 1, "whether the file carries EXIF", "camera metadata"),
        Number("software_flag", 0, 1, "whether EXIF names editing or generating software", "camera metadata"),
        Number("exif_camera_fields", 0, 1, "share of the fields that cameras write", "camera metadata"),
        Number("exif_date_anomaly", 0, 1, "whether dates are impossible or contradict each other", "camera metadata"),
        Number("exif_gps_anomaly", 0, 1, "whether the position is impossible", "camera metadata"),
    ),
    looks_at="EXIF: camera and exposure fields, software, dates, position",
    fails_when="metadata was stripped, as most platforms do, or written by hand; both are easy",
    source="CIPA DC-008 (EXIF 2.32)",
    reads="metadata",
)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Plausibility of the camera metadata.

    `exif_score` is the share of expected fields, times 0.7 where editing software is named, times 0.5 for impossible
    dates, times 0.5 for an impossible position. Dates are compared with each other, never with today's.
    """
    if not sample.metadata.exif:
        return Measured(SPEC.name, _numbers(0.0), "The file carries no EXIF; that says nothing about its origin.")
    tags = load_exif(sample.metadata.exif)
    if tags is None:
        return Measured(SPEC.name, _numbers(1.0), "The file carries EXIF that is damaged and cannot be read.")
    fields = _camera_fields(tags)
    share = sum(fields.values()) / len(fields)
    software = _SOFTWARE.search(_text(tags["0th"].get(piexif.ImageIFD.Software)))
    dates = _given_dates(tags)
    date_anomaly, gps_anomaly = _date_anomaly(dates), _gps_anomaly(tags["GPS"])
    score = share
    score *= EDITED_KEEPS if software else 1
    score *= DATE_KEEPS if date_anomaly else 1
    score *= GPS_KEEPS if gps_anomaly else 1
    numbers = {
        "exif_score": score,
        "has_exif": 1.0,
        "software_flag": float(software is not None),
        "exif_camera_fields": share,
        "exif_date_anomaly": float(date_anomaly),
        "exif_gps_anomaly": float(gps_anomaly),
    }
    told = "no dates" if not dates else "dates that cannot be" if date_anomaly else "dates consistent"
    return Measured(SPEC.name, numbers, _sentence(tags, fields, told, gps_anomaly, software is not None))


def _numbers(has_exif: float) -> dict[str, float]:
    return {n.name: has_exif if n.name == "has_exif" else math.nan for n in SPEC.numbers}


def _camera_fields(tags: Mapping[str, Mapping[int, Any]]) -> dict[str, bool]:
    """Which of the fields that cameras write are there with a possible value."""
    zeroth, exif = tags["0th"], tags["Exif"]
    return {
        "make": _is_name(zeroth.get(piexif.ImageIFD.Make)),
        "model": _is_name(zeroth.get(piexif.ImageIFD.Model)),
        "exposure time": 0 < _ratio(exif.get(piexif.ExifIFD.ExposureTime)) <= 3600,
        "aperture": 0.5 <= _ratio(exif.get(piexif.ExifIFD.FNumber)) <= 128,
        "sensitivity": 0 < _whole(exif.get(piexif.ExifIFD.ISOSpeedRatings)) <= 10_000_000,
        "focal length": 0 < _ratio(exif.get(piexif.ExifIFD.FocalLength)) <= 5000,
        "original date": _date(exif.get(piexif.ExifIFD.DateTimeOriginal)) is not None,
        "shooting mode": any(
            tag in exif for tag in (piexif.ExifIFD.Flash, piexif.ExifIFD.MeteringMode, piexif.ExifIFD.LensModel)
        ),
    }


def _given_dates(tags: Mapping[str, Mapping[int, Any]]) -> dict[str, datetime | None]:
    """The dates that are set, None where one cannot be read."""
    values = (
        tags["0th"].get(piexif.ImageIFD.DateTime),
        tags["Exif"].get(piexif.ExifIFD.DateTimeOriginal),
        tags["Exif"].get(piexif.ExifIFD.DateTimeDigitized),
    )
    # Blank or zero dates are how cameras write "the clock was never set".
    return {name: _date(v) for name, v in zip(_DATES, values, strict=True) if re.search(r"[1-9]", _text(v))}


def _date_anomaly(given: Mapping[str, datetime | None]) -> bool:
    """A date that is none, one before digital cameras, or an original younger than its own modification."""
    if any(date is None or date.year < EARLIEST for date in given.values()):
        return True
    modified, original = given.get("DateTime"), given.get("DateTimeOriginal")
    return bool(modified and original and original > modified + timedelta(days=1))


def _gps_anomaly(gps: Mapping[int, Any]) -> bool:
    """A position that is out of range, not a number, or exactly where an unset one lies."""
    latitude, longitude = gps.get(piexif.GPSIFD.GPSLatitude), gps.get(piexif.GPSIFD.GPSLongitude)
    if latitude is None and longitude is None:
        return False
    north, east = _degrees(latitude), _degrees(longitude)
    if math.isnan(north) or math.isnan(east):
        return True
    return north > 90 or east > 180 or (north == 0 and east == 0)


def _degrees(value: Any) -> float:
    if not isinstance(value, tuple) or len(value) != 3:
        return math.nan
    degrees, minutes, seconds = (_ratio(part) for part in value)
    if not (minutes < 60 and seconds < 60.01):
        return math.nan
    return degrees + minutes / 60 + seconds / 3600


def _ratio(value: Any) -> float:
    """A rational as a float; NaN where it is none."""
    match value:
        case (int(numerator), int(denominator)) if denominator:
            return numerator / denominator
    return math.nan


def _whole(value: Any) -> int:
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else 0


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace").strip("\0 ") if isinstance(value, bytes) else ""


def _is_name(value: Any) -> bool:
    """Whether it could be a camera's name: some generators keep JSON in those fields."""
    text = _text(value)
    return bool(text) and "{" not in text


def _date(value: Any) -> datetime | None:
    try:
        return datetime.strptime(_text(value)[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _sentence(
    tags: Mapping[str, Mapping[int, Any]], fields: Mapping[str, bool], dates: str, gps: bool, edited: bool
) -> str:
    make, model = (_text(tags["0th"].get(tag)) for tag in (piexif.ImageIFD.Make, piexif.ImageIFD.Model))
    camera = quoted(model if model.lower().startswith(make.lower()) else f"{make} {model}").strip()
    named = f"camera metadata of {camera}" if camera else "EXIF that names no camera"
    parts = [f"The file carries {named}: {sum(fields.values())} of {len(fields)} expected fields"]
    parts.append(dates)
    if gps:
        parts.append("a position that cannot be")
    if edited:
        parts.append(f"written by {quoted(_text(tags['0th'].get(piexif.ImageIFD.Software)))}")
    return ", ".join(parts) + "."
