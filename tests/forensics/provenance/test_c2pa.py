"""C2PA: valid, edited, broken and absent manifests differ, and only a trusted claim of AI decides."""

import datetime
import io
import json
from collections.abc import Iterator
from pathlib import Path

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from forensics.provenance.c2pa import BROKEN, TRUSTED, VALID, read_c2pa
from forensics.provenance.trust import install_trust_anchors
from tests.forensics.provenance.files import sample, saved

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2044, 1, 1, tzinfo=datetime.UTC)


def name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Press"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def certificate(key, subject: str, issuer: str, issuer_key, *, authority: bool) -> x509.Certificate:
    usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(END)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


class Press:
    """A certificate authority and a signer under it, made for one test run."""

    def __init__(self) -> None:
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = certificate(root_key, "Root", "Root", root_key, authority=True)
        leaf = certificate(key, "Signer", "Root", root_key, authority=False)
        pem = serialization.Encoding.PEM
        self.anchors = root.public_bytes(pem).decode()
        self._chain = leaf.public_bytes(pem) + root.public_bytes(pem)
        self._key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def sign(self, data: bytes, media_type: str, actions: list[dict[str, object]]) -> bytes:
        manifest = {
            "claim_generator_info": [{"name": "press-desk", "version": "1"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
        }
        info = c2pa.C2paSignerInfo(b"es256", self._chain, self._key, None)
        # The library would add an action and a timestamp of its own.
        settings = {"verify": {"verify_after_sign": False}}
        signed = io.BytesIO()
        with c2pa.Signer.from_info(info) as signer:
            builder = c2pa.Builder(json.dumps(manifest), context=c2pa.Context.from_dict(settings))
            builder.sign(signer, media_type, io.BytesIO(data), signed)
        return signed.getvalue()


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
