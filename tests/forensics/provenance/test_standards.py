"""Standard declarations and vendors' marks: found in every carrier, with what the standard makes of each value."""

import html
import json
import time

import pytest

from forensics.provenance.standards import read_standards, source_type
from forensics.provenance.texts import texts_of
from forensics.types import Claim
from tests.forensics.provenance.files import late_xmp, png, sample, saved, unicode_comment, with_exif, xmp

IPTC = 'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def claims(data: bytes) -> tuple[Claim, ...]:
    found = sample(data)
    return read_standards(texts_of(found.metadata, found.media_type), found.data)


def attribute(name: str, value: str) -> bytes:
    return xmp(f'{IPTC} Iptc4xmpExt:{name}="{value}"/>')


def element(name: str, value: str) -> bytes:
    return xmp(f"{IPTC}><Iptc4xmpExt:{name}>{value}</Iptc4xmpExt:{name}></rdf:Description>")


@pytest.mark.parametrize(
    ("value", "declares"),
    [
        ("trainedAlgorithmicMedia", "ai_created"),
        ("compositeWithTrainedAlgorithmicMedia", "ai_edited"),
        ("compositeSynthetic", "ai_edited"),
        ("Trained Algorithmic Media", "ai_created"),
    ],
)
@pytest.mark.parametrize("write", [attribute, element])
def test_a_digital_source_type_decides_only_where_the_whole_image_was_created(value: str, declares: str, write) -> None:
    for data in (
        saved("JPEG", xmp=write("DigitalSourceType", TYPES + value)),
        late_xmp(write("DigitalSourceType", value)),
    ):
        (claim,) = claims(data)
        assert (claim.declares, claim.decisive) == (declares, declares == "ai_created")


@pytest.mark.parametrize("value", ["algorithmicMedia", "digitalCapture", "negativeFilm", "humanEdits", ""])
def test_other_source_types_say_nothing_of_ai(value: str) -> None:
    assert claims(saved("JPEG", xmp=attribute("DigitalSourceType", TYPES + value))) == ()


def test_a_source_type_is_read_by_the_last_part_of_its_name() -> None:
    assert source_type("https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia/") is not None
    assert source_type("https://example.org/trainedAlgorithmicMedia/digitalCapture") is None


def test_iptc_2025_ai_fields_name_the_system() -> None:
    (claim,) = claims(saved("WEBP", xmp=attribute("AISystemUsed", "Imagen &amp; friends")))
    assert claim.generator == "Imagen & friends"
    assert claims(saved("JPEG", xmp=element("AIPromptInformation", "a cat")))[0].says_ai


def test_googles_credit_line_is_found_in_xmp_and_iptc() -> None:
    packet = xmp('xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Credit="Made with Google AI"/>')
    assert claims(saved("JPEG", xmp=packet))[0].generator == "Google AI"
    resource = b"8BIM\x04\x04\0\0" + (24).to_bytes(4, "big") + b"\x1c\x02\x6e\0\x13Made with Google AI"
    payload = b"Photoshop 3.0\0" + resource
    data = saved("JPEG")
    data = data[:2] + b"\xff\xed" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]
    assert claims(data)[0].generator == "Google AI"


def tc260_xmp(label: str) -> bytes:
    content = html.escape(json.dumps({"Label": label, "ContentProducer": "x"}))
    return saved("JPEG", xmp=xmp(f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" TC260:AIGC="{content}"/>'))


@pytest.mark.parametrize(("label", "decisive"), [("1", True), ("2", False), ("3", False)])
def test_tc260_labels_are_found_in_each_carrier_and_only_the_first_decides(label: str, decisive: bool) -> None:
    content = json.dumps({"AIGC": {"Label": label}})
    for data in (
        tc260_xmp(label),
        png({"AIGC": json.dumps({"Label": label})}),
        with_exif("JPEG", comment=unicode_comment(content)),
        with_exif("WEBP", comment=b"ASCII\0\0\0" + json.dumps({"AIGC": json.dumps({"Label": label})}).encode()),
    ):
        (claim,) = claims(data)
        assert (claim.says_ai, claim.decisive) == (True, decisive)


@pytest.mark.parametrize(("kind", "found"), [(0, []), (1, ["ai_edited"]), (12, ["ai_edited"])])
def test_samsungs_trailer_tells_an_edit_unless_its_type_is_zero(kind: int, found: list[str]) -> None:
    data = saved("JPEG") + b'SEFH{"originalPath":"x","genAIType":%d}SEFT' % kind
    assert [claim.declares for claim in claims(data)] == found
    assert not any(claim.decisive for claim in claims(data))


def test_plain_and_hostile_xmp_say_nothing_and_take_no_time() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 1000 + b'">]>' + xmp("/>") + b"<a:DigitalSourceType >" * 400_000
    started = time.perf_counter()
    assert claims(late_xmp(bomb)) == ()
    assert claims(saved("PNG")) == ()
    assert time.perf_counter() - started < 3
