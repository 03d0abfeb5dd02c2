"""EXIF: how plausible the camera metadata is. Its absence says nothing."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import piexif

from forensics.analyzers._exif_checks import (
    Tags,
    date_anomaly,
    date_of,
    exposure_anomaly,
    given_dates,
    gps_anomaly,
    ratio_of,
    text_of,
    whole_of,
)
from forensics.analyzers._exif_thumbnail import thumbnail_agreement
from forensics.cameras import Fit, always_notes, fit_of
from forensics.provenance.text import quoted
from forensics.reading.exif_tags import load_exif
from forensics.reading.thumbnail import thumbnail_of
from forensics.registry import DetectorSpec, Number, analyzer
from forensics.types import ImageSample, Measured, Signal

# What each anomaly leaves of the score.
EDITED_KEEPS, DATE_KEEPS, GPS_KEEPS, EXPOSURE_KEEPS, THUMBNAIL_KEEPS, NOTE_KEEPS = 0.7, 0.5, 0.5, 0.5, 0.5, 0.8
CAMERA_KEEPS: Mapping[Fit, float] = {
    "known": 1.0,
    "unfamiliar model": 0.8,
    "unknown maker": 0.4,
    "contradiction": 0.3,
}
_CAMERA_TOLD: Mapping[Fit, str] = {
    "known": "",
    "unfamiliar model": "a model that is not known of its maker",
    "unknown maker": "a maker that is not known",
    "contradiction": "a model of another maker",
}
# Below this correlation the thumbnail shows something else.
LEAST_AGREEMENT = 0.4
_SOFTWARE = re.compile(
    r"photoshop|lightroom|gimp|affinity|snapseed|picsart|canva|pixelmator|capture one|darktable|luminar|paint|facetune|"
    r"meitu|vsco|acdsee|irfanview|firefly|stable diffusion|midjourney|dall|novelai|comfyui|invokeai|ideogram|"
    r"acd systems|finepix viewer|olympus master|quicktime|windows photo",
    re.I,
)

SPEC = DetectorSpec(
    name="exif",
    title="Camera metadata",
    version=3,
    numbers=(
        Number("exif_score", 0, 1, "plausibility of the camera metadata", "camera metadata", headline=True),
        Number("has_exif", 0, 1, "whether the file carries EXIF", "camera metadata"),
        Number("software_flag", 0, 1, "whether EXIF names editing or generating software", "camera metadata"),
        Number("exif_camera_fields", 0, 1, "share of the fields that cameras write", "camera metadata"),
        Number("exif_camera_fit", 0, 1, "how well make and model fit known cameras", "camera metadata"),
        Number("exif_date_anomaly", 0, 1, "whether dates are impossible or contradict each other", "camera metadata"),
        Number("exif_gps_anomaly", 0, 1, "whether the position is impossible", "camera metadata"),
        Number("exif_exposure_anomaly", 0, 1, "whether exposure or lens are impossible", "camera metadata"),
        Number("exif_thumbnail_agreement", -1, 1, "agreement of the thumbnail with the picture", "camera metadata"),
        Number(
            "exif_note_missing", 0, 1, "whether the maker note that this camera writes is missing", "camera metadata"
        ),
    ),
    looks_at="EXIF: camera, exposure and lens, software, dates, position, thumbnail, maker note",
    fails_when="metadata was stripped, as most platforms do, or written by hand; both are easy",
    source="CIPA DC-008 (EXIF 2.32)",
    reads="metadata",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the checks say about one EXIF block; `camera` is None where it names no camera."""

    fields: Mapping[str, bool]
    camera: Fit | None
    edited: bool
    dates: Mapping[str, datetime | None]
    date: bool
    gps: bool
    exposure: bool
    agreement: float
    note_missing: bool

    @property
    def share(self) -> float:
        """Share of the expected fields."""
        return sum(self.fields.values()) / len(self.fields)

    @property
    def foreign_thumbnail(self) -> bool:
        """Whether the thumbnail shows something else."""
        return self.agreement < LEAST_AGREEMENT

    @property
    def score(self) -> float:
        """The share, times what each anomaly leaves of it."""
        score = self.share * (CAMERA_KEEPS[self.camera] if self.camera is not None else 1)
        anomalies = (
            (self.edited, EDITED_KEEPS),
            (self.date, DATE_KEEPS),
            (self.gps, GPS_KEEPS),
            (self.exposure, EXPOSURE_KEEPS),
            (self.foreign_thumbnail, THUMBNAIL_KEEPS),
            (self.note_missing, NOTE_KEEPS),
        )
        return score * math.prod(keeps for found, keeps in anomalies if found)


@analyzer(SPEC)
def analyze(sample: ImageSample) -> Signal:
    """Plausibility of the camera metadata.

    `exif_score` is the share of expected fields, times 0.7 where editing software is named; times 0.5 for each of
    impossible dates, an impossible position, an impossible exposure or lens, a thumbnail that shows something else;
    times 0.8 for a missing maker note; times 0.8 for a model that is not known of its maker, 0.4 for an unknown maker,
    0.3 for a model of another maker. Dates are compared with each other and with this release, never with today's.
    """
    if not sample.metadata.exif:
        return Measured(SPEC.name, _numbers(0.0), "The file carries no EXIF; that says nothing about its origin.")
    tags = load_exif(sample.metadata.exif)
    if tags is None:
        return Measured(SPEC.name, _numbers(1.0), "The file carries EXIF that is damaged and cannot be read.")
    found = _checked(tags, sample)
    numbers = {
        "exif_score": found.score,
        "has_exif": 1.0,
        "software_flag": float(found.edited),
        "exif_camera_fields": found.share,
        "exif_camera_fit": CAMERA_KEEPS[found.camera] if found.camera is not None else math.nan,
        "exif_date_anomaly": float(found.date),
        "exif_gps_anomaly": float(found.gps),
        "exif_exposure_anomaly": float(found.exposure),
        "exif_thumbnail_agreement": found.agreement,
        "exif_note_missing": float(found.note_missing),
    }
    return Measured(SPEC.name, numbers, _sentence(tags, found))


def _checked(tags: Tags, sample: ImageSample) -> _Found:
    make, model = _camera(tags)
    edited = _SOFTWARE.search(text_of(tags["0th"].get(piexif.ImageIFD.Software))) is not None
    dates = given_dates(tags)
    thumbnail = thumbnail_of(sample.metadata.exif)
    return _Found(
        fields=_camera_fields(tags),
        camera=fit_of(make, model) if make or model else None,
        edited=edited,
        dates=dates,
        date=date_anomaly(dates),
        gps=gps_anomaly(tags["GPS"]),
        exposure=exposure_anomaly(tags["Exif"]),
        agreement=thumbnail_agreement(thumbnail, sample.pixels) if thumbnail is not None else math.nan,
        # Editors leave the note out; that they edited is told already.
        note_missing=not edited and always_notes(make, model) and piexif.ExifIFD.MakerNote not in tags["Exif"],
    )


def _numbers(has_exif: float) -> dict[str, float]:
    return {n.name: has_exif if n.name == "has_exif" else math.nan for n in SPEC.numbers}


def _camera(tags: Tags) -> tuple[str, str]:
    values = (tags["0th"].get(tag) for tag in (piexif.ImageIFD.Make, piexif.ImageIFD.Model))
    make, model = (text_of(value) if _is_name(value) else "" for value in values)
    return make, model


def _camera_fields(tags: Tags) -> dict[str, bool]:
    """Which of the fields that cameras write are there with a possible value."""
    zeroth, exif = tags["0th"], tags["Exif"]
    return {
        "make": _is_name(zeroth.get(piexif.ImageIFD.Make)),
        "model": _is_name(zeroth.get(piexif.ImageIFD.Model)),
        "exposure time": 0 < ratio_of(exif.get(piexif.ExifIFD.ExposureTime)) <= 3600,
        "aperture": 0.5 <= ratio_of(exif.get(piexif.ExifIFD.FNumber)) <= 128,
        "sensitivity": 0 < whole_of(exif.get(piexif.ExifIFD.ISOSpeedRatings)) <= 10_000_000,
        "focal length": 0 < ratio_of(exif.get(piexif.ExifIFD.FocalLength)) <= 5000,
        "original date": date_of(exif.get(piexif.ExifIFD.DateTimeOriginal)) is not None,
        "shooting mode": any(
            tag in exif for tag in (piexif.ExifIFD.Flash, piexif.ExifIFD.MeteringMode, piexif.ExifIFD.LensModel)
        ),
    }


def _is_name(value: Any) -> bool:
    """Whether it could be a camera's name: some generators keep JSON in those fields."""
    text = text_of(value)
    return bool(text) and "{" not in text


def _sentence(tags: Tags, found: _Found) -> str:
    make, model = _camera(tags)
    camera = quoted(model if model.lower().startswith(make.lower()) else f"{make} {model}").strip()
    named = f"camera metadata of {camera}" if camera else "EXIF that names no camera"
    parts = [f"The file carries {named}: {sum(found.fields.values())} of {len(found.fields)} expected fields"]
    parts.append("no dates" if not found.dates else "dates that cannot be" if found.date else "dates consistent")
    if found.camera is not None and _CAMERA_TOLD[found.camera]:
        parts.append(_CAMERA_TOLD[found.camera])
    if found.gps:
        parts.append("a position that cannot be")
    if found.exposure:
        parts.append("an exposure or lens that cannot be")
    if found.foreign_thumbnail:
        parts.append("a thumbnail that shows something else")
    if found.note_missing:
        parts.append("without the maker note that this camera writes")
    if found.edited:
        parts.append(f"written by {quoted(text_of(tags['0th'].get(piexif.ImageIFD.Software)))}")
    return ", ".join(parts) + "."
