"""EXIF: a camera's metadata is plausible, contradictions are found, absence says nothing."""

import csv
import math
from pathlib import Path

import numpy as np
import piexif
import pytest

from forensics.analyzers.exif import analyze
from forensics.types import ImageSample, Measured, Metadata
from tests.forensics.pictures import photo, sample_of

ZEROTH = {
    piexif.ImageIFD.Make: b"Canon",
    piexif.ImageIFD.Model: b"Canon EOS 5D",
    piexif.ImageIFD.DateTime: b"2021:05:02 10:00:00",
}
EXIF = {
    piexif.ExifIFD.ExposureTime: (1, 125),
    piexif.ExifIFD.FNumber: (28, 10),
    piexif.ExifIFD.ISOSpeedRatings: 200,
    piexif.ExifIFD.FocalLength: (50, 1),
    piexif.ExifIFD.DateTimeOriginal: b"2021:05:02 10:00:00",
    piexif.ExifIFD.Flash: 0,
}


def numbers(zeroth: dict | None = None, exif: dict | None = None, gps: dict | None = None, kind: str = "JPEG") -> dict:
    written = piexif.dump({"0th": ZEROTH | (zeroth or {}), "Exif": EXIF | (exif or {}), "GPS": gps or {}, "1st": {}})
    signal = analyze(sample_of(photo()[:64, :64], kind, exif=written))
    assert isinstance(signal, Measured)
    return dict(signal.numbers)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_cameras_metadata_is_read_in_each_format(kind: str) -> None:
    found = numbers(kind=kind)
    assert found["has_exif"] == 1
    if kind != "TIFF":  # Pillow writes no camera fields into TIFF
        assert found["exif_score"] == 1
        assert (found["software_flag"], found["exif_date_anomaly"], found["exif_gps_anomaly"]) == (0, 0, 0)


def test_the_sentence_names_camera_and_fields() -> None:
    written = piexif.dump({"0th": ZEROTH, "Exif": EXIF, "GPS": {}, "1st": {}})
    signal = analyze(sample_of(photo()[:64, :64], "JPEG", exif=written))
    assert isinstance(signal, Measured)
    expected = "The file carries camera metadata of Canon EOS 5D: 8 of 8 expected fields, dates consistent."
    assert signal.sentence == expected


def test_dates_that_are_not_there_are_not_called_consistent() -> None:
    written = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon"}, "Exif": {}, "GPS": {}, "1st": {}})
    signal = analyze(sample_of(photo()[:64, :64], "JPEG", exif=written))
    assert signal.sentence == "The file carries camera metadata of Canon: 1 of 8 expected fields, no dates."


def test_no_exif_is_unknown_never_suspicious() -> None:
    signal = analyze(sample_of(photo()[:64, :64]))
    assert isinstance(signal, Measured)
    assert signal.numbers["has_exif"] == 0
    assert math.isnan(signal.numbers["exif_score"])
    assert "says nothing" in signal.sentence


def test_missing_fields_lower_the_score_by_their_share() -> None:
    assert numbers(exif={piexif.ExifIFD.FNumber: (0, 0)})["exif_score"] == pytest.approx(7 / 8)


@pytest.mark.parametrize("software", [b"Adobe Photoshop 25.0", b"GIMP 2.10", b"Midjourney"])
def test_editing_software_is_flagged(software: bytes) -> None:
    found = numbers({piexif.ImageIFD.Software: software})
    assert (found["software_flag"], found["exif_score"]) == (1, pytest.approx(0.7))


def test_a_cameras_own_firmware_is_not_flagged() -> None:
    assert numbers({piexif.ImageIFD.Software: b"Ver.1.06"})["software_flag"] == 0


@pytest.mark.parametrize(
    ("original", "anomaly"),
    [
        (b"2021:05:02 09:00:00", 0),
        (b"2021:05:04 10:00:01", 1),
        (b"2021:13:02 10:00:00", 1),
        (b"1975:01:01 00:00:00", 1),
        (b"0000:00:00 00:00:00", 0),
        (b"soon1", 1),
    ],
)
def test_dates_that_contradict_each_other_or_cannot_be_are_found(original: bytes, anomaly: int) -> None:
    assert numbers(exif={piexif.ExifIFD.DateTimeOriginal: original})["exif_date_anomaly"] == anomaly


@pytest.mark.parametrize(
    ("latitude", "anomaly"),
    [
        (((48, 1), (51, 1), (30, 1)), 0),
        (((95, 1), (0, 1), (0, 1)), 1),
        (((48, 0), (51, 1), (30, 1)), 1),
        (((48, 1), (75, 1), (30, 1)), 1),
    ],
)
def test_positions_that_cannot_be_are_found(latitude: tuple, anomaly: int) -> None:
    gps = {
        piexif.GPSIFD.GPSLatitudeRef: b"N",
        piexif.GPSIFD.GPSLatitude: latitude,
        piexif.GPSIFD.GPSLongitudeRef: b"E",
        piexif.GPSIFD.GPSLongitude: ((2, 1), (21, 1), (0, 1)),
    }
    assert numbers(gps=gps)["exif_gps_anomaly"] == anomaly


def test_the_unset_position_is_an_anomaly() -> None:
    zero = ((0, 1), (0, 1), (0, 1))
    gps = {piexif.GPSIFD.GPSLatitude: zero, piexif.GPSIFD.GPSLongitude: zero}
    assert numbers(gps=gps)["exif_gps_anomaly"] == 1


def test_damaged_exif_is_told_as_such_whatever_its_bytes() -> None:
    whole = piexif.dump({"0th": ZEROTH, "Exif": EXIF, "GPS": {}, "1st": {}})[6:]
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for at in random.integers(0, len(damaged), 4):
            damaged[at] = random.integers(0, 256)
        sample = ImageSample(b"", "0" * 64, "image/jpeg", photo()[:64, :64], Metadata(exif=bytes(damaged)))
        signal = analyze(sample)
        assert isinstance(signal, Measured)
        assert signal.numbers["has_exif"] == 1
        assert signal.sentence.isprintable()


@pytest.mark.shared
def test_real_camera_files_are_mostly_plausible(shared_data: Path) -> None:
    from forensics.reading.decode import decode

    folder = shared_data / "originals"
    with (folder / "originals.csv").open() as file:
        names = [row["filepath"] for row in csv.DictReader(file) if row["has_camera_exif"] == "1"]
    signals = [analyze(decode((folder / name).read_bytes())) for name in names]
    scores = [s.numbers["exif_score"] for s in signals if isinstance(s, Measured)]
    assert len(scores) == len(names) >= 30
    assert sum(score > 0.5 for score in scores) >= 0.8 * len(scores)
