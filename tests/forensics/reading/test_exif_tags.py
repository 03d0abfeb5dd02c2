"""EXIF tags are read as piexif reads them, and bytes that would cost it memory or time are refused first."""

import random
import struct
import time

import piexif
import pytest

from forensics.reading.exif_tags import load_exif

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


def refused_at_once(exif: bytes) -> bool:
    started = time.perf_counter()
    found = load_exif(exif)
    assert time.perf_counter() - started < 0.5
    return found is None


def test_what_was_written_is_read() -> None:
    found = load_exif(WHOLE)
    assert found is not None
    assert set(found) == {"0th", "Exif", "GPS"}
    assert found["0th"][piexif.ImageIFD.Make] == b"Canon"
    assert found["Exif"][piexif.ExifIFD.FNumber] == (28, 10)
    assert found["GPS"] == WRITTEN["GPS"]


@pytest.mark.parametrize("field_type", [BYTE, LONG, RATIONAL])
def test_a_count_beyond_the_bytes_is_refused_in_every_directory(field_type: int) -> None:
    greedy = {"0th": 0x010F, "Exif": 0x829D, "GPS": 2, "1st": 0x010F}
    bad = {name: entry(tag, field_type, 0xFFFFFFFF, 8) for name, tag in greedy.items()}
    assert refused_at_once(block(bad["0th"]))
    assert refused_at_once(block(entry(0x8769, LONG, 1, 26), rest=directory(bad["Exif"])))
    assert refused_at_once(block(entry(0x8825, LONG, 1, 26), rest=directory(bad["GPS"])))
    assert refused_at_once(block(entry(0x0112, 3, 1, 1), rest=directory(bad["1st"]), following=26))
    inner = directory(entry(0xA005, LONG, 1, 44))
    assert refused_at_once(
        block(entry(0x8769, LONG, 1, 26), rest=inner + directory(entry(1, field_type, 2**32 - 1, 8)))
    )


def test_one_stretch_of_bytes_read_over_and_over_is_refused() -> None:
    many = [entry(0x0111, LONG, 100_000, 8)] * 2000
    assert refused_at_once(block(*many, rest=bytes(400_000)))
    assert refused_at_once(block(*[entry(0x010F, TEXT, 400_000, 8)] * 2000, rest=bytes(400_000)))


def test_a_greedy_tag_that_nobody_reads_does_no_harm() -> None:
    found = load_exif(block(entry(0x010F, TEXT, 4, 0x00434241), entry(0xFEDC, BYTE, 0xFFFFFFFF, 8)))
    assert found is not None
    assert found["0th"][0x010F] == b"ABC"


@pytest.mark.parametrize("pointer", [entry(0x8769, 3, 1, 26), entry(0x8769, LONG, 2, 26), entry(0x8769, BYTE, 1, 26)])
def test_a_directory_pointer_of_another_type_is_damage(pointer: bytes) -> None:
    assert load_exif(block(pointer, rest=directory(entry(0x829D, RATIONAL, 0xFFFFFFFF, 8)))) is None


@pytest.mark.parametrize("exif", [b"", b"II", b"/etc/hostname", b"II*\0\xff\xff\xff\xff", WHOLE[:30]])
def test_what_is_no_exif_is_none(exif: bytes) -> None:
    assert load_exif(exif) is None


def test_whatever_is_accepted_reads_as_piexif_reads_it() -> None:
    dice = random.Random(0)
    accepted = 0
    for _ in range(600):
        damaged = bytearray(WHOLE)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(200)] = dice.choice((0, 1, 4, 7, 12, 255, dice.randrange(256)))
        found = load_exif(bytes(damaged))
        if found is not None:
            accepted += 1
            expected = piexif.load(b"Exif\0\0" + bytes(damaged))
            assert repr(found) == repr({name: expected[name] for name in found})
    assert accepted > 50
