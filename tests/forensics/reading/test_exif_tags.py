"""EXIF tags are read as piexif reads them, and bytes that would cost it memory or time are refused first."""

import random
import struct
import time

import piexif
import pytest

from forensics.reading.exif_tags import Tags, load_exif

WRITTEN = {
    "0th": {piexif.ImageIFD.Make: b"Canon", piexif.ImageIFD.Software: b"Ver.1", piexif.ImageIFD.XPComment: (65, 0)},
    "Exif": {piexif.ExifIFD.FNumber: (28, 10), piexif.ExifIFD.MakerNote: bytes(3000)},
    "GPS": {piexif.GPSIFD.GPSLatitude: ((48, 1), (51, 1), (30, 1))},
    "Interop": {piexif.InteropIFD.InteroperabilityIndex: b"R98"},
    "1st": {piexif.ImageIFD.Make: b"Canon"},
    "thumbnail": None,
}
WHOLE = piexif.dump(WRITTEN)[6:]
BYTE, TEXT, LONG, RATIONAL = 1, 2, 4, 5


def entry(tag: int, field_type: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, field_type, count, value)


def directory(*entries: bytes, following: int = 0) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


def block(*entries: bytes, rest: bytes = b"", following: int = 0) -> bytes:
    return b"II*\0\x08\0\0\0" + directory(*entries, following=following) + rest


def read_at_once(exif: bytes) -> Tags:
    started = time.perf_counter()
    found = load_exif(exif)
    assert time.perf_counter() - started < 0.5
    assert found is not None
    return found


def test_what_was_written_is_read() -> None:
    found = load_exif(WHOLE)
    assert found is not None
    assert set(found) == {"0th", "Exif", "GPS", "1st"}
    assert found["0th"][piexif.ImageIFD.Make] == b"Canon"
    assert found["Exif"][piexif.ExifIFD.FNumber] == (28, 10)
    assert found["GPS"] == WRITTEN["GPS"]


@pytest.mark.parametrize("field_type", [BYTE, LONG, RATIONAL])
def test_a_count_beyond_the_bytes_loses_that_tag_alone_in_every_directory(field_type: int) -> None:
    bad = entry(0x829D, field_type, 0xFFFFFFFF, 8)
    good = entry(0x010F, TEXT, 4, 0x00434241)
    assert read_at_once(block(bad, good))["0th"] == {0x010F: b"ABC"}
    inner = directory(bad, good)
    assert read_at_once(block(entry(0x8769, LONG, 1, 26), rest=inner))["Exif"] == {0x010F: b"ABC"}
    assert read_at_once(block(entry(0x8825, LONG, 1, 26), rest=inner))["GPS"] == {0x010F: b"ABC"}
    assert read_at_once(block(entry(0x0112, 3, 1, 1), rest=inner, following=26))["1st"] == {0x010F: b"ABC"}


def test_one_stretch_of_bytes_read_over_and_over_ends_soon() -> None:
    many = [entry(0x0111, LONG, 100_000, 8)] * 2000
    read_at_once(block(*many, rest=bytes(400_000)))
    read_at_once(block(*[entry(0x010F, TEXT, 400_000, 8)] * 2000, rest=bytes(400_000)))
    read_at_once(block(*[entry(0x010F, BYTE, 60_000, 8)] * 60_000, rest=bytes(10_000_000)))


@pytest.mark.parametrize(
    "odd",
    [
        entry(0xA002, 13, 1, 640),
        entry(0xA002, 0, 1, 640),
        entry(0xA002, 99, 1, 640),
        entry(0x9201, 10, 1, 0xFFFFFFF0),
        entry(0xFEDC, BYTE, 0xFFFFFFFF, 8),
        entry(0x9209, 8, 1, 16),
    ],
)
def test_an_odd_tag_does_not_lose_the_others(odd: bytes) -> None:
    found = read_at_once(block(entry(0x010F, TEXT, 4, 0x00434241), odd, entry(0x0131, TEXT, 4, 0x00434241)))
    assert (found["0th"][0x010F], found["0th"][0x0131]) == (b"ABC", b"ABC")


def test_text_of_exif_3_is_read() -> None:
    text = "Grüße".encode() + b"\0"
    assert read_at_once(block(entry(0x010F, 129, len(text), 26), rest=text))["0th"] == {0x010F: "Grüße".encode()}


def test_text_that_ends_with_the_block_is_read_up_to_there() -> None:
    assert read_at_once(block(entry(0x010F, TEXT, 20, 26), rest=b"Canon EOS"))["0th"] == {0x010F: b"Canon EOS"}


@pytest.mark.parametrize("pointer", [entry(0x8769, 7, 1, 26), entry(0x8769, LONG, 2, 26), entry(0x8769, BYTE, 1, 26)])
def test_a_directory_pointer_of_another_type_leads_nowhere(pointer: bytes) -> None:
    found = read_at_once(block(pointer, rest=directory(entry(0x829D, RATIONAL, 0xFFFFFFFF, 8))))
    assert found["Exif"] == {}


def test_a_directory_that_points_to_itself_ends() -> None:
    assert read_at_once(block(entry(0x8769, LONG, 1, 8), following=8))["Exif"]


@pytest.mark.parametrize("exif", [b"", b"II", b"/etc/hostname", b"II*\0\xff\xff\xff\xff"])
def test_what_is_no_exif_is_none(exif: bytes) -> None:
    assert load_exif(exif) is None


def test_a_block_that_is_cut_off_gives_what_is_left() -> None:
    found = load_exif(WHOLE[:40])
    assert found is not None
    assert len(found["0th"]) < len(WRITTEN["0th"]) + 2


def test_sound_exif_reads_as_piexif_reads_it() -> None:
    expected = piexif.load(b"Exif\0\0" + WHOLE)
    assert load_exif(WHOLE) == {name: expected[name] for name in ("0th", "Exif", "GPS", "1st")}


def test_damage_never_raises() -> None:
    dice = random.Random(0)
    kept = 0
    for _ in range(2000):
        damaged = bytearray(WHOLE)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(200)] = dice.choice((0, 1, 4, 7, 12, 255, dice.randrange(256)))
        found = load_exif(bytes(damaged))
        kept += found is not None and found["0th"].get(piexif.ImageIFD.Make) == b"Canon"
    assert kept > 1000
