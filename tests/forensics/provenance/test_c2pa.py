"""C2PA: valid, edited, broken and absent manifests differ, and only a trusted claim of AI decides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forensics.provenance.c2pa import BROKEN, TRUSTED, VALID, read_c2pa
from forensics.provenance.trust import install_trust_anchors
from tests.forensics.provenance.files import sample, saved
from tests.forensics.provenance.press import Press

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
CREATED = [{"action": "c2pa.created", "digitalSourceType": TYPES + "digitalCapture"}]
GENERATED = [
    {
        "action": "c2pa.created",
        "softwareAgent": "Dreamer 3",
        "digitalSourceType": TYPES + "trainedAlgorithmicMedia",
    }
]


@pytest.fixture(scope="module")
def press() -> Press:
    return Press()


@pytest.fixture(autouse=True)
def no_trust() -> Iterator[None]:
    install_trust_anchors("")
    yield
    install_trust_anchors("")


@pytest.mark.parametrize(("kind", "media"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_cameras_signature_is_shown_and_says_nothing_of_ai(press: Press, kind: str, media: str) -> None:
    (claim,), state = read_c2pa(sample(press.sign(saved(kind), media, CREATED)))
    assert (state, claim.says_ai, claim.decisive) == (VALID, False, False)
    assert "Test Press" in claim.statement
    assert "not in the trust list" in claim.statement


def test_a_claim_of_ai_decides_only_when_the_signer_is_trusted(press: Press) -> None:
    data = press.sign(saved("JPEG"), "image/jpeg", GENERATED)
    (claim,), state = read_c2pa(sample(data))
    assert (state, claim.says_ai, claim.decisive, claim.generator) == (VALID, True, False, "Dreamer 3")
    install_trust_anchors(press.anchors)
    (claim,), state = read_c2pa(sample(data))
    assert (state, claim.says_ai, claim.decisive) == (TRUSTED, True, True)
    install_trust_anchors(Press().anchors)
    assert read_c2pa(sample(data))[1] == VALID


@pytest.mark.parametrize("kind", ["compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"])
def test_composites_with_ai_parts_say_so(press: Press, kind: str) -> None:
    actions = [*CREATED, {"action": "c2pa.edited", "digitalSourceType": TYPES + kind}]
    (claim,), _ = read_c2pa(sample(press.sign(saved("JPEG"), "image/jpeg", actions)))
    assert claim.says_ai


@pytest.mark.parametrize("kind", ["algorithmicMedia", "digitalArt", "compositeCapture"])
def test_other_source_types_are_not_ai(press: Press, kind: str) -> None:
    actions = [{"action": "c2pa.created", "digitalSourceType": TYPES + kind}]
    (claim,), state = read_c2pa(sample(press.sign(saved("JPEG"), "image/jpeg", actions)))
    assert (state, claim.says_ai) == (VALID, False)


def test_an_edit_history_is_valid_and_not_ai(press: Press) -> None:
    actions = [*CREATED, {"action": "c2pa.color_adjustments", "parameters": {"name": "brightnesscontrast"}}]
    (claim,), state = read_c2pa(sample(press.sign(saved("JPEG"), "image/jpeg", actions)))
    assert (state, claim.says_ai) == (VALID, False)


def test_pixels_changed_after_signing_break_it_and_it_is_not_used(press: Press) -> None:
    install_trust_anchors(press.anchors)
    data = bytearray(press.sign(saved("JPEG", quality=95), "image/jpeg", GENERATED))
    data[-200] ^= 0x04
    (claim,), state = read_c2pa(sample(bytes(data)))
    assert (state, claim.says_ai, claim.decisive) == (BROKEN, False, False)
    assert "not used" in claim.statement


def test_a_damaged_manifest_is_broken_not_absent(press: Press) -> None:
    data = bytearray(press.sign(saved("WEBP"), "image/webp", GENERATED))
    at = data.index(b"C2PA") + 60
    data[at : at + 40] = b"\xff" * 40
    (claim,), state = read_c2pa(sample(bytes(data)))
    assert (state, claim.says_ai) == (BROKEN, False)


def test_no_manifest_is_no_claim() -> None:
    claims, state = read_c2pa(sample(saved("JPEG")))
    assert claims == ()
    assert state != state  # NaN
    assert read_c2pa(sample(saved("JPEG", comment=b"c2pa")))[0] == ()


@pytest.mark.shared
@pytest.mark.parametrize(("file", "state"), [("C.jpg", VALID), ("CA.jpg", VALID), ("E-sig-CA.jpg", BROKEN)])
def test_the_test_files_of_the_standard_differ(shared_data: Path, file: str, state: float) -> None:
    (claim,), found = read_c2pa(sample((shared_data / "originals" / "c2pa" / file).read_bytes()))
    assert (found, claim.says_ai) == (state, False)
