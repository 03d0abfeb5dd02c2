"""C2PA: valid, edited, broken and absent manifests differ, and only a trusted claim of AI decides."""

import base64
import datetime
import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from forensics.provenance.binding import covers_picture
from forensics.provenance.c2pa import STATES, read_c2pa
from forensics.provenance.manifests import MISPLACED, failures_of, is_dated
from forensics.provenance.trust import OFFICIAL_LIST, checked_anchors, install_trust_anchors, official_anchors
from forensics.reading.containers import jpeg_headers_end
from forensics.types import Claim, SignatureState
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


def read(data: bytes) -> tuple[Claim, SignatureState]:
    (claim,), number = read_c2pa(sample(data))
    assert claim.signature is not None
    assert STATES[int(number)] == claim.signature
    return claim, claim.signature


@pytest.mark.parametrize(("kind", "media"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_cameras_signature_is_shown_and_says_nothing_of_ai(press: Press, kind: str, media: str) -> None:
    claim, state = read(press.sign(saved(kind), media, CREATED))
    assert (state, claim.declares, claim.decisive) == ("signer_unknown", None, False)
    assert "Test Press" in claim.statement
    assert "(its certificate is valid until 2044-01-01; no trusted time stamp says when it signed)" in claim.statement


def test_an_intact_claim_of_ai_decides_and_trust_tells_who_signed(press: Press) -> None:
    data = press.sign(saved("JPEG"), "image/jpeg", GENERATED)
    claim, state = read(data)
    assert (state, claim.declares, claim.decisive) == ("signer_unknown", "ai_created", True)
    assert claim.generator == "Dreamer 3"
    install_trust_anchors(press.anchors)
    claim, state = read(data)
    assert (state, claim.says_ai, claim.decisive) == ("trusted", True, True)
    assert "no trusted time stamp" in claim.statement
    install_trust_anchors(Press().anchors)
    assert read(data)[1] == "signer_unknown"


@pytest.mark.parametrize("action", ["c2pa.edited", "c2pa.created"])
@pytest.mark.parametrize("kind", ["compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"])
def test_composites_with_ai_parts_are_edits(press: Press, kind: str, action: str) -> None:
    actions = [*CREATED[: action != "c2pa.created"], {"action": action, "digitalSourceType": TYPES + kind}]
    claim, _ = read(press.sign(saved("JPEG"), "image/jpeg", actions))
    assert (claim.declares, claim.says_ai, claim.decisive) == ("ai_edited", False, False)


def test_an_edit_by_a_generative_model_is_an_edit(press: Press) -> None:
    actions = [*CREATED, {"action": "c2pa.edited", "digitalSourceType": TYPES + "trainedAlgorithmicMedia"}]
    claim, _ = read(press.sign(saved("JPEG"), "image/jpeg", actions))
    assert (claim.declares, claim.decisive) == ("ai_edited", False)
    assert "a part of the image" in claim.statement


def test_without_an_agent_the_claims_generator_is_named(press: Press) -> None:
    actions = [{"action": "c2pa.created", "digitalSourceType": TYPES + "trainedAlgorithmicMedia"}]
    assert read(press.sign(saved("JPEG"), "image/jpeg", actions))[0].generator == "press-desk 1"
    named = [actions[0] | {"softwareAgent": {"name": "Painter", "version": "2"}}]
    assert read(press.sign(saved("JPEG"), "image/jpeg", named))[0].generator == "Painter 2"


@pytest.mark.parametrize("kind", ["algorithmicMedia", "digitalArt", "compositeCapture", "computationalCapture"])
def test_other_source_types_are_not_ai(press: Press, kind: str) -> None:
    actions = [{"action": "c2pa.created", "digitalSourceType": TYPES + kind}]
    claim, _ = read(press.sign(saved("JPEG"), "image/jpeg", actions))
    assert (claim.declares, claim.says_ai) == (None, False)


@pytest.mark.parametrize("trusted", [True, False])
def test_where_a_time_stamp_dates_it_the_sentence_says_who_signed(
    press: Press, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_trust_anchors(press.anchors if trusted else "")
    monkeypatch.setattr("forensics.provenance.c2pa.is_dated", lambda store: True)
    claim, _ = read(press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert ("a trusted signer" if trusted else "not in the trust list") in claim.statement
    assert "time stamp" not in claim.statement


@pytest.mark.parametrize(
    ("kind", "code", "dated"),
    [
        ("success", "timeStamp.trusted", True),
        ("informational", "timeStamp.trusted", True),
        ("success", "timeStamp.validated", False),
        ("informational", "timeStamp.untrusted", False),
        ("failure", "timeStamp.trusted", False),
    ],
)
def test_only_a_trusted_time_stamp_dates_a_signature(kind: str, code: str, dated: bool) -> None:
    assert is_dated({"validation_results": {"activeManifest": {kind: [{"code": code}]}}}) is dated
    assert not is_dated({})


def test_an_edit_history_is_valid_and_not_ai(press: Press) -> None:
    actions = [*CREATED, {"action": "c2pa.color_adjustments", "parameters": {"name": "brightnesscontrast"}}]
    claim, state = read(press.sign(saved("JPEG"), "image/jpeg", actions))
    assert (state, claim.says_ai) == ("signer_unknown", False)


def test_pixels_changed_after_signing_are_told_and_the_manifest_is_not_used(press: Press) -> None:
    install_trust_anchors(press.anchors)
    data = bytearray(press.sign(saved("JPEG", quality=95), "image/jpeg", GENERATED))
    data[-200] ^= 0x04
    claim, state = read(bytes(data))
    assert (state, claim.says_ai, claim.decisive) == ("content_mismatch", False, False)
    assert "changed after it was signed" in claim.statement
    assert "not used" in claim.statement


def test_a_forged_claim_is_an_invalid_signature(press: Press) -> None:
    data = press.sign(saved("JPEG"), "image/jpeg", GENERATED)
    at = data.rindex(b"press-desk")
    claim, state = read(data[:at] + b"other-desk" + data[at + 10 :])
    assert (state, claim.decisive) == ("signature_invalid", False)
    assert "forged" in claim.statement


@pytest.mark.parametrize("trusted", [True, False])
def test_an_expired_certificate_is_told_and_is_no_tampering(trusted: bool) -> None:
    desk = Press(lasts=datetime.timedelta(seconds=2))
    data = desk.sign(saved("JPEG"), "image/jpeg", GENERATED)
    before, _ = read(data)
    install_trust_anchors(desk.anchors if trusted else "")
    deadline = time.monotonic() + 20
    while (state := read(data)[1]) != "certificate_expired" and time.monotonic() < deadline:
        time.sleep(0.2)
    claim, state = read(data)
    assert state == "certificate_expired"
    # What is said and the label stay what they were before.
    assert claim.statement == before.statement
    assert "no trusted time stamp" in claim.statement
    assert (claim.declares, claim.decisive) == (before.declares, before.decisive) == ("ai_created", True)


def test_c2pas_own_key_usage_may_sign_content() -> None:
    desk = Press(usage="1.3.6.1.4.1.62558.2.1")
    install_trust_anchors(desk.anchors)
    assert read(desk.sign(saved("JPEG"), "image/jpeg", GENERATED))[1] == "trusted"


def test_a_certificate_without_a_fitting_key_usage_is_unfit_and_no_tampering() -> None:
    desk = Press(usage="1.3.6.1.4.1.99999.1")
    install_trust_anchors(desk.anchors)
    claim, state = read(desk.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.decisive) == ("certificate_unfit", True)
    assert "not fit for signing" in claim.statement


def test_the_official_list_is_trusted_and_says_where_it_is_from() -> None:
    assert official_anchors().count("BEGIN CERTIFICATE") > 40
    assert checked_anchors(official_anchors())
    head = OFFICIAL_LIST.read_text().partition("-----BEGIN")[0]
    assert re.search(r"Source: https://.* as of 20\d\d-\d\d-\d\d", head)
    assert "CC BY 4.0" in head


@pytest.mark.parametrize("action", ["com.adobe.generativeFill", "c2pa.edited"])
def test_actions_that_stray_from_the_standard_are_read_as_they_were_signed(press: Press, action: str) -> None:
    install_trust_anchors(press.anchors)
    actions = [{"action": action, "digitalSourceType": TYPES + "trainedAlgorithmicMedia"}]
    claim, state = read(press.sign(saved("JPEG"), "image/jpeg", actions))
    assert (state, claim.declares, claim.decisive) == ("trusted", "ai_edited", False)


def test_signed_iptc_metadata_weighs_what_unsigned_does(press: Press) -> None:
    metadata = {"Iptc4xmpExt:DigitalSourceType": TYPES + "trainedAlgorithmicMedia"}
    actions: list[dict[str, object]] = [{"action": "c2pa.created"}]
    claim, state = read(press.sign(saved("JPEG"), "image/jpeg", actions, metadata=metadata))
    assert (state, claim.declares, claim.decisive) == ("signer_unknown", "ai_created", True)


@pytest.mark.parametrize(("change", "holds"), [(None, True), (-200, False), (3, True)])
def test_a_hash_that_leaves_out_all_headers_is_held_against_the_picture(change: int | None, holds: bool) -> None:
    data = bytearray(saved("JPEG", comment=b"a header"))
    end = jpeg_headers_end(bytes(data))
    assert data[end : end + 2] == b"\xff\xdb"
    hashed = base64.b64encode(hashlib.sha256(data[end:]).digest()).decode()
    if change is not None:
        data[change if change < 0 else end - 1] ^= 4

    def covered(length: int) -> bool:
        binding = {"alg": "sha256", "hash": hashed, "exclusions": [{"start": 0, "length": length}]}
        report = {"active_manifest": "m", "manifests": {"m": {"assertion_store": {"c2pa.hash.data": binding}}}}
        return covers_picture(report, replace(sample(saved("JPEG")), data=bytes(data)))

    assert covered(end) is holds
    # A hash that leaves out a part of the picture itself says nothing of it.
    assert not covered(end + 1)


def test_a_misplaced_exclusion_is_told_from_a_picture_that_was_changed() -> None:
    def failed(explanation: str) -> set[str]:
        status = {"code": "assertion.dataHash.mismatch", "explanation": explanation}
        return failures_of({"validation_results": {"activeManifest": {"failure": [status]}}})

    assert failed("asset hash error") == {"assertion.dataHash.mismatch"}
    assert failed("data hash exclusion does not match the manifest location in the asset") == {MISPLACED}


def test_a_damaged_manifest_is_malformed_not_absent(press: Press) -> None:
    data = bytearray(press.sign(saved("WEBP"), "image/webp", GENERATED))
    at = data.index(b"C2PA") + 60
    data[at : at + 40] = b"\xff" * 40
    claim, state = read(bytes(data))
    assert (state, claim.says_ai) == ("malformed", False)


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
    assert STATES[int(read_c2pa(image)[1])] == "signer_unknown"
    child = os.fork()
    if child == 0:
        found = -1.0
        try:
            found = read_c2pa(image)[1]
        finally:
            os._exit(0 if found == STATES.index("signer_unknown") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


OPENED = [{"action": "c2pa.opened", "parameters": {"ingredientIds": [INGREDIENT]}}]
PLACED = [*CREATED, {"action": "c2pa.placed", "parameters": {"ingredientIds": [INGREDIENT]}}]


def edited(editor: Press, parent: bytes) -> tuple[Claim, SignatureState]:
    """What is read from an edit of `parent` by `editor`."""
    data = editor.sign(saved("JPEG"), "image/jpeg", OPENED, ingredient=("parentOf", parent))
    return read(data)


def test_an_edited_image_stays_what_its_earlier_version_was(press: Press) -> None:
    install_trust_anchors(press.anchors)
    claim, state = edited(press, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.says_ai, claim.decisive, claim.generator) == ("trusted", True, True, "Dreamer 3")
    assert "earlier version" in claim.statement


def test_a_trusted_editor_lends_no_trust_to_a_strangers_claim(press: Press) -> None:
    stranger = Press()
    parent = stranger.sign(saved("JPEG"), "image/jpeg", GENERATED)
    install_trust_anchors(press.anchors)
    claim, state = edited(press, parent)
    assert (state, claim.says_ai) == ("signer_unknown", True)
    # Neither does an editor that itself trusts the stranger.
    generous = Press()
    generous.trusts += stranger.anchors
    install_trust_anchors(generous.anchors)
    assert edited(generous, parent)[0].signature == "signer_unknown"


def test_a_stranger_that_names_a_trusted_manifest_as_its_parent_is_not_trusted(press: Press) -> None:
    stranger = Press()
    stranger.trusts += press.anchors
    install_trust_anchors(press.anchors)
    claim, state = edited(stranger, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.says_ai, claim.decisive) == ("signer_unknown", True, True)


def test_a_parent_that_its_editor_did_not_trust_but_this_process_does_is_trusted(press: Press) -> None:
    narrow = Press()
    install_trust_anchors(press.anchors + narrow.anchors)
    claim, state = edited(narrow, press.sign(saved("JPEG"), "image/jpeg", GENERATED))
    assert (state, claim.decisive) == ("trusted", True)


def test_a_parent_that_was_broken_when_it_was_opened_is_not_used(press: Press) -> None:
    install_trust_anchors(press.anchors)
    parent = bytearray(press.sign(saved("JPEG", quality=95), "image/jpeg", GENERATED))
    parent[-200] ^= 0x04
    claim, state = edited(press, bytes(parent))
    assert (state, claim.says_ai) == ("trusted", False)


@pytest.mark.parametrize(("relationship", "actions"), [("componentOf", PLACED), ("inputTo", CREATED)])
def test_what_was_placed_or_used_does_not_speak_for_the_image(
    press: Press, relationship: str, actions: list[dict[str, object]]
) -> None:
    install_trust_anchors(press.anchors)
    part = press.sign(saved("JPEG"), "image/jpeg", GENERATED)
    data = press.sign(saved("JPEG"), "image/jpeg", actions, ingredient=(relationship, part))
    claim, state = read(data)
    assert (state, claim.says_ai) == ("trusted", False)


def test_damage_anywhere_never_raises_and_never_changes_what_is_believed(press: Press) -> None:
    install_trust_anchors(press.anchors)
    image = sample(press.sign(saved("PNG"), "image/png", GENERATED))
    start, used = image.data.index(b"jumdc2pa"), 0
    for place in range(start, start + 2000, 7):
        data = image.data[:place] + bytes([image.data[place] ^ 0xFF]) + image.data[place + 1 :]
        claims, number = read_c2pa(replace(image, data=data))
        if not claims:
            continue
        (claim,) = claims
        # Some bytes, such as padding, no signature covers.
        is_used = STATES[int(number)] in ("certificate_unfit", "certificate_expired", "signer_unknown", "trusted")
        assert (claim.declares, claim.generator) == (("ai_created", "Dreamer 3") if is_used else (None, ""))
        assert claim.decisive is is_used
        used += is_used
    assert used < 0.1 * len(range(start, start + 2000, 7))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "state"),
    [("C.jpg", "signer_unknown"), ("CA.jpg", "signer_unknown"), ("E-sig-CA.jpg", "signature_invalid")],
)
def test_the_test_files_of_the_standard_differ(shared_data: Path, file: str, state: str) -> None:
    claim, found = read((shared_data / "originals" / "c2pa" / file).read_bytes())
    assert (found, claim.says_ai) == (state, False)
