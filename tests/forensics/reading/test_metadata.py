"""Metadata: every carrier is found wherever a file may hold it, and bombs or damage cost nothing."""

import io
import time
import tracemalloc
import zlib

import piexif
import pytest
from PIL import Image

from forensics.reading.containers import INFLATE_LIMIT, inflate, jpeg_segments, png_chunks, webp_chunks
from forensics.reading.metadata import MOST_XMP, XMP_PREFIX, read_metadata
from tests.forensics.provenance.files import chunk, picture, png, png_with_late_chunk, saved, xmp

EXIF = piexif.dump({"0th": {piexif.ImageIFD.Make: b"Canon"}, "Exif": {}, "GPS": {}, "1st": {}})
XMP = b"<x:xmpmeta>one</x:xmpmeta>"


@pytest.mark.parametrize(("kind", "media"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_exif_and_xmp_are_found_in_each_container(kind: str, media: str) -> None:
    options = {"xmp": XMP} if kind != "PNG" else {}
    found = read_metadata(saved(kind, exif=EXIF, **options), media)
    assert found.exif[:2] in (b"II", b"MM")
    assert b"Canon" in found.exif
    assert found.xmp == options.get("xmp", b"")


@pytest.mark.parametrize(("kind", "media"), [("TIFF", "image/tiff"), ("AVIF", "image/avif"), ("HEIF", "image/heic")])
def test_exif_is_found_in_the_other_formats_too(kind: str, media: str) -> None:
    assert b"Canon" in read_metadata(saved(kind, exif=EXIF), media).exif


def in_app1(payload: bytes) -> bytes:
    data = saved("JPEG")
    return data[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]


@pytest.mark.parametrize("head", [b"", b"XMP\0XMP\0", b"http://ns.adobe.com/xap/1.0/\0"])
def test_xmp_of_a_jpeg_is_found_whatever_name_stands_before_it(head: bytes) -> None:
    packet = b'<?xpacket begin="" id="x"?>' + XMP
    assert read_metadata(in_app1(head + packet), "image/jpeg").xmp == packet


@pytest.mark.parametrize("head", [b"Exif\0\0", b"Exif\0\xff", b"EXIF\0\0"])
def test_exif_of_a_jpeg_is_found_whatever_pads_its_name(head: bytes) -> None:
    assert read_metadata(in_app1(head + EXIF[6:]), "image/jpeg").exif == EXIF[6:]


def test_xmp_after_the_pixel_data_of_a_png_is_found() -> None:
    data = png_with_late_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    assert read_metadata(data, "image/png").xmp == XMP


def test_extended_xmp_of_a_jpeg_is_joined_in_order() -> None:
    def part(offset: int, body: bytes) -> bytes:
        head = b"http://ns.adobe.com/xmp/extension/\0" + b"G" * 32 + (6).to_bytes(4, "big") + offset.to_bytes(4, "big")
        return b"\xff\xe1" + (len(head) + len(body) + 2).to_bytes(2, "big") + head + body

    data = saved("JPEG", xmp=XMP)
    assert read_metadata(data[:2] + part(3, b"def") + part(0, b"abc") + data[2:], "image/jpeg").xmp == XMP + b"abcdef"


@pytest.mark.parametrize("compressed", [True, False])
def test_png_texts_are_read_plain_and_compressed(compressed: bool) -> None:
    assert read_metadata(png({"parameters": "Grüße"}, compressed=compressed), "image/png").text == {
        "parameters": "Grüße"
    }


def test_texts_of_one_keyword_are_all_kept() -> None:
    first = png_with_late_chunk(b"tEXt", b"Comment\0one")
    both = first[:-12] + chunk(b"tEXt", b"Comment\0two") + first[-12:]
    assert read_metadata(both, "image/png").text["Comment"] == "one\ntwo"


def test_a_jpeg_comment_and_an_iptc_block_are_found() -> None:
    resource = b"8BIM\x04\x04\0\0" + (5).to_bytes(4, "big") + b"\x1c\x02\x6eAI\0"
    payload = b"Photoshop 3.0\0" + resource
    segment = b"\xff\xed" + (len(payload) + 2).to_bytes(2, "big") + payload
    data = saved("JPEG", comment=b"hello")
    found = read_metadata(data[:2] + segment + data[2:], "image/jpeg")
    assert found.text == {"Comment": "hello"}
    assert found.iptc == b"\x1c\x02\x6eAI"


def test_imagemagick_raw_profiles_are_unpacked() -> None:
    body = b"\nexif\n  " + str(len(EXIF)).encode() + b"\n" + EXIF.hex().encode() + b"\n"
    data = png_with_late_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(body))
    assert b"Canon" in read_metadata(data, "image/png").exif


def test_a_text_bomb_costs_no_more_than_the_limit() -> None:
    bomb = zlib.compress(b"\0" * 200_000_000)
    tracemalloc.start()
    assert len(inflate(bomb)) == INFLATE_LIMIT
    read_metadata(png_with_late_chunk(b"zTXt", b"x\0\0" + bomb), "image/png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("walk", [jpeg_segments, png_chunks, webp_chunks])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_walks_end_and_stay_inside_on_every_truncation(walk, kind: str) -> None:
    data = saved(kind, exif=EXIF)
    for end in range(0, min(len(data), 600)):
        assert sum(len(part[1]) for part in walk(data[:end])) <= end


def test_a_file_without_metadata_has_none() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", picture().size).save(buffer, "PNG")
    found = read_metadata(buffer.getvalue(), "image/png")
    assert (found.exif, found.xmp, found.iptc, found.icc, dict(found.text)) == (b"", b"", b"", b"", {})


def seconds(data: bytes, media_type: str) -> float:
    started = time.process_time()
    read_metadata(data, media_type)
    return time.process_time() - started


def test_thousands_of_xmp_segments_are_read_in_linear_time_and_up_to_a_limit() -> None:
    data, packet = saved("JPEG"), XMP_PREFIX + xmp('xmlns:a="b" a:c="d"/>') + bytes(400)
    segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
    files = [data[:2] + segment * count + data[2:] for count in (4_975, 19_900)]
    few, many = (seconds(file, "image/jpeg") for file in files)
    # Four times as many; where each was joined to all before, sixteen times as long and seconds.
    assert many < max(8 * few, 0.5)
    assert len(read_metadata(files[1], "image/jpeg").xmp) <= MOST_XMP


@pytest.mark.parametrize("profile", [zlib.compress(bytes(2**20)), b"no zlib stream"])
def test_thousands_of_colour_profiles_are_inflated_no_further_than_the_file_may(profile: bytes) -> None:
    data, part = png(), chunk(b"iCCP", b"p\0\0" + profile)
    many = data[:33] + part * 19_000 + data[33:]
    assert seconds(many, "image/png") < 2
    assert len(read_metadata(many, "image/png").icc) == (2**20 if profile[:1] == b"x" else 0)
