"""C2PA: valid, edited, broken and absent manifests differ, and only a trusted claim of AI decides."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from forensics.provenance.c2pa import BROKEN, TRUSTED, VALID, read_c2pa
from forensics.provenance.trust import install_trust_anchors
from forensics.types import Claim
from tests.forensics.provenance.files import sample, saved
from tests.forensics.provenance.press import INGREDIENT, Press

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


def test_a_manifest_that_lies_elsewhere_is_not_in_the_file_and_never_fetched(press: Press) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        data = press.sign(saved("JPEG"), "image/jpeg", GENERATED, elsewhere=address)
        assert address.encode() in data
        # The mark makes sure that the library is asked.
        for file in (data, data + b"jumdc2pa"):
            claims, state = read_c2pa(sample(file))
            assert claims == ()
            assert state != state  # NaN
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_reads_like_its_parent(press: Press) -> None:
    image = sample(press.sign(saved("JPEG"), "image/jpeg", CREATED))
    assert read_c2pa(image)[1] == VALID
    child = os.fork()
    if child == 0:
        found = -1.0
        try:
            found = read_c2pa(image)[1]
        finally:
            os._exit(0 if found == VALID else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


OPENED = [{"action": "c2pa.opened", "parameters": {"ingredientIds": [INGREDIENT]}}]
PLACED = [*CREATED, {"action": "c2pa.placed", "parameters": {"ingredientIds": [INGREDIENT]}}]


def edited(editor: Press, parent: bytes) -> tuple[Claim, float]:
    """What is read from an edit of `parent` by `editor`."""
    data = editor.sign(saved("JPEG"), "image/jpeg", OPENED, ingredient=("parentOf", parent))
    (claim,), state = read_c2pa(sample(data))
    return claim, state


def test_an_edited_image_stays_what_its_earlier_version_was(press: Press) -> None:
    install_trust_anchors(press.anchors)
    claim, state = edited(press, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.says_ai, claim.decisive, claim.generator) == (TRUSTED, True, True, "Dreamer 3")
    assert "earlier version" in claim.statement


def test_a_trusted_editor_lends_no_trust_to_a_strangers_claim(press: Press) -> None:
    stranger = Press()
    parent = stranger.sign(saved("JPEG"), "image/jpeg", GENERATED)
    install_trust_anchors(press.anchors)
    claim, state = edited(press, parent)
    assert (state, claim.says_ai, claim.decisive) == (TRUSTED, True, False)
    assert "not in the trust list" in claim.statement
    # Neither does an editor that itself trusts the stranger.
    generous = Press()
    generous.trusts += stranger.anchors
    install_trust_anchors(generous.anchors)
    assert edited(generous, parent)[0].decisive is False


def test_a_stranger_that_names_a_trusted_manifest_as_its_parent_does_not_decide(press: Press) -> None:
    stranger = Press()
    stranger.trusts += press.anchors
    install_trust_anchors(press.anchors)
    claim, state = edited(stranger, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.says_ai, claim.decisive) == (VALID, True, False)


def test_a_parent_that_its_editor_did_not_trust_but_this_process_does_decides(press: Press) -> None:
    narrow = Press()
    install_trust_anchors(press.anchors + narrow.anchors)
    claim, state = edited(narrow, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.decisive) == (TRUSTED, True)


def test_a_parent_that_was_broken_when_it_was_opened_is_not_used(press: Press) -> None:
    install_trust_anchors(press.anchors)
    parent = bytearray(press.sign(saved("JPEG", quality=95), "image/jpeg", GENERATED))
    parent[-200] ^= 0x04
    claim, state = edited(press, bytes(parent))
    assert (state, claim.says_ai) == (TRUSTED, False)


@pytest.mark.parametrize(("relationship", "actions"), [("componentOf", PLACED), ("inputTo", CREATED)])
def test_what_was_placed_or_used_does_not_speak_for_the_image(
    press: Press, relationship: str, actions: list[dict[str, object]]
) -> None:
    install_trust_anchors(press.anchors)
    part = press.sign(saved("JPEG"), "image/jpeg", GENERATED)
    data = press.sign(saved("JPEG"), "image/jpeg", actions, ingredient=(relationship, part))
    (claim,), state = read_c2pa(sample(data))
    assert (state, claim.says_ai) == (TRUSTED, False)


def test_damage_anywhere_never_raises_and_never_changes_what_is_believed(press: Press) -> None:
    install_trust_anchors(press.anchors)
    image = sample(press.sign(saved("PNG"), "image/png", GENERATED))
    whole, _ = read_c2pa(image)
    start, found = image.data.index(b"jumdc2pa"), []
    for place in range(start, start + 2000, 7):
        data = image.data[:place] + bytes([image.data[place] ^ 0xFF]) + image.data[place + 1 :]
        claims, state = read_c2pa(replace(image, data=data))
        # Some bytes, such as padding, no signature covers.
        assert claims == whole if state in (VALID, TRUSTED) else not any(claim.says_ai for claim in claims)
        found.append(state)
    assert found.count(BROKEN) > 0.9 * len(found)


@pytest.mark.shared
@pytest.mark.parametrize(("file", "state"), [("C.jpg", VALID), ("CA.jpg", VALID), ("E-sig-CA.jpg", BROKEN)])
def test_the_test_files_of_the_standard_differ(shared_data: Path, file: str, state: float) -> None:
    (claim,), found = read_c2pa(sample((shared_data / "originals" / "c2pa" / file).read_bytes()))
    assert (found, claim.says_ai) == (state, False)
