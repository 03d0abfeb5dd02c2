"""EXIF: a camera's metadata is plausible, contradictions are found, absence says nothing."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import piexif
import pytest
from PIL import Image

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
    piexif.ExifIFD.MakerNote: b"a note",
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


def test_a_position_that_was_never_found_is_none() -> None:
    # As Leica and Galaxy cameras write it.
    unset = ((0, 0), (0, 0), (0, 0))
    references = {piexif.GPSIFD.GPSLatitudeRef: b"\0", piexif.GPSIFD.GPSLongitudeRef: b"\0"}
    gps = references | {piexif.GPSIFD.GPSLatitude: unset, piexif.GPSIFD.GPSLongitude: unset}
    assert numbers(gps=gps)["exif_gps_anomaly"] == 0


def test_minutes_with_decimals_need_no_seconds() -> None:
    gps = {
        piexif.GPSIFD.GPSLatitudeRef: b"N",
        piexif.GPSIFD.GPSLatitude: ((48, 1), (5332358, 100000), (0, 0)),
        piexif.GPSIFD.GPSLongitudeRef: b"E",
        piexif.GPSIFD.GPSLongitude: ((21, 1), (259507, 100000), (0, 0)),
    }
    assert numbers(gps=gps)["exif_gps_anomaly"] == 0


def test_what_is_no_cameras_name_is_not_called_one() -> None:
    graph = b'Workflow:{"nodes": [], "links": []}'
    written = piexif.dump({"0th": {piexif.ImageIFD.Make: graph}, "Exif": {}, "GPS": {}, "1st": {}})
    signal = analyze(sample_of(photo()[:64, :64], "JPEG", exif=written))
    assert isinstance(signal, Measured)
    assert signal.sentence == "The file carries EXIF that names no camera: 0 of 8 expected fields, no dates."


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


@pytest.mark.parametrize(
    ("make", "model", "fit"),
    [
        (b"Canon", b"Canon EOS R5", 1.0),
        (b"Apple", b"iPhone 15 Pro", 1.0),
        (b"samsung", b"SM-S928B", 1.0),
        (b"NIKON CORPORATION", b"NIKON Z 9", 1.0),
        (b"SONY", b"ILCE-7M4", 1.0),
        (b"RICOH IMAGING COMPANY, LTD.", b"PENTAX K-3 II", 1.0),
        (b"LGE", b"Nexus 5", 1.0),
        (b"OPPO", b"PHZ110", 1.0),
        (b"Mamiya-OP Co.,Ltd.", b"Mamiya ZD", 1.0),
        (b"HUAWEI", b"SM-G998B", 0.3),
        (b"Canon", b"xyzzy", 0.8),
        (b"Foo", b"xyzzy", 0.4),
        (b"Canon", b"iPhone 15 Pro", 0.3),
        (b"Apple", b"Canon EOS R5", 0.3),
        (b"Foo", b"NIKON D850", 0.3),
    ],
)
def test_make_and_model_are_held_against_known_cameras(make: bytes, model: bytes, fit: float) -> None:
    found = numbers({piexif.ImageIFD.Make: make, piexif.ImageIFD.Model: model})
    assert found["exif_camera_fit"] == fit
    assert found["exif_score"] == pytest.approx(fit)


@pytest.mark.parametrize(
    ("exif", "anomaly"),
    [
        ({}, 0),
        ({piexif.ExifIFD.ExposureTime: (30, 1), piexif.ExifIFD.FNumber: (14, 10)}, 0),
        # A second of full light at f/1: brighter scenes do not need it, darker ones do not exist.
        ({piexif.ExifIFD.ExposureTime: (1, 1_000_000), piexif.ExifIFD.FNumber: (64, 1)}, 1),
        ({piexif.ExifIFD.ShutterSpeedValue: (7, 1)}, 0),
        ({piexif.ExifIFD.ShutterSpeedValue: (2, 1)}, 1),
        ({piexif.ExifIFD.ShutterSpeedValue: (0, 1)}, 0),
        ({piexif.ExifIFD.ApertureValue: (8, 1)}, 1),
        # Galaxy phones and DJI's drones write the time itself; the lens of an extender keeps its own range.
        ({piexif.ExifIFD.ShutterSpeedValue: (1, 125)}, 0),
        (
            {
                piexif.ExifIFD.FocalLength: (400, 1),
                piexif.ExifIFD.LensSpecification: ((70, 1), (200, 1), (4, 1), (4, 1)),
            },
            0,
        ),
        ({piexif.ExifIFD.LensSpecification: ((24, 1), (70, 1), (28, 10), (28, 10))}, 0),
        ({piexif.ExifIFD.LensSpecification: ((70, 1), (200, 1), (28, 10), (28, 10))}, 1),
        ({piexif.ExifIFD.LensSpecification: ((0, 0), (0, 0), (0, 0), (0, 0))}, 0),
    ],
)
def test_an_exposure_or_lens_that_cannot_be_is_found(exif: dict, anomaly: int) -> None:
    assert numbers(exif=exif)["exif_exposure_anomaly"] == anomaly


def test_a_date_after_this_release_cannot_be() -> None:
    assert numbers(exif={piexif.ExifIFD.DateTimeOriginal: b"2099:01:01 10:00:00"})["exif_date_anomaly"] == 1


@pytest.mark.parametrize(("altitude", "below", "anomaly"), [(300, 0, 0), (400, 1, 0), (30_000, 0, 1), (900, 1, 1)])
def test_an_altitude_that_cannot_be_is_found(altitude: int, below: int, anomaly: int) -> None:
    place = ((48, 1), (51, 1), (30, 1))
    gps = {piexif.GPSIFD.GPSLatitude: place, piexif.GPSIFD.GPSLongitude: place}
    gps |= {piexif.GPSIFD.GPSAltitude: (altitude, 1), piexif.GPSIFD.GPSAltitudeRef: below}
    assert numbers(gps=gps)["exif_gps_anomaly"] == anomaly


def test_a_missing_maker_note_lowers_the_score_where_that_camera_always_writes_one() -> None:
    zeroth = {piexif.ImageIFD.Make: b"Canon", piexif.ImageIFD.Model: b"Canon EOS R5"}
    without = {tag: value for tag, value in EXIF.items() if tag != piexif.ExifIFD.MakerNote}
    written = piexif.dump({"0th": ZEROTH | zeroth, "Exif": without, "GPS": {}, "1st": {}})
    signal = analyze(sample_of(photo()[:64, :64], "JPEG", exif=written))
    assert isinstance(signal, Measured)
    assert signal.numbers["exif_note_missing"] == 1
    assert signal.numbers["exif_score"] == pytest.approx(0.8)
    assert "without the maker note" in signal.sentence


def with_thumbnail(thumbnail: np.ndarray) -> Measured:
    """The signal about a photograph whose EXIF holds that thumbnail."""
    buffer = io.BytesIO()
    Image.fromarray(thumbnail).resize((160, 120)).save(buffer, "JPEG")
    first = {piexif.ImageIFD.Compression: 6}
    tags = {"0th": ZEROTH, "Exif": EXIF, "GPS": {}, "1st": first, "thumbnail": buffer.getvalue()}
    signal = analyze(sample_of(photo(), "JPEG", exif=piexif.dump(tags)))
    assert isinstance(signal, Measured)
    return signal


def test_a_thumbnail_of_the_picture_agrees_also_when_turned() -> None:
    for turns in range(4):
        assert with_thumbnail(np.rot90(photo(), turns)).numbers["exif_thumbnail_agreement"] > 0.9


def test_a_thumbnail_of_something_else_lowers_the_score() -> None:
    signal = with_thumbnail(np.roll(photo()[::-1, :, ::-1], 150, axis=1) // 2 + 64)
    assert signal.numbers["exif_thumbnail_agreement"] < 0.4
    assert signal.numbers["exif_score"] == pytest.approx(0.5)
    assert "a thumbnail that shows something else" in signal.sentence
