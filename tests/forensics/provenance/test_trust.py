"""Trust anchors: only certificates that can be read are installed, and what is around them is ignored."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forensics.errors import TrustAnchorsError
from forensics.provenance.trust import install_trust_anchors, read_trust_anchors, trust_anchors
from tests.forensics.provenance.press import Press


@pytest.fixture(scope="module")
def certificate() -> str:
    return Press().anchors


@pytest.fixture(autouse=True)
def no_trust() -> Iterator[None]:
    install_trust_anchors("")
    yield
    install_trust_anchors("")


def test_nobody_is_trusted_until_a_list_is_installed_and_after_an_empty_one(certificate: str) -> None:
    assert trust_anchors() == ""
    install_trust_anchors(certificate)
    assert trust_anchors() == certificate.strip()
    install_trust_anchors("")
    assert trust_anchors() == ""


def test_several_certificates_with_names_between_them_are_all_kept(certificate: str) -> None:
    other = Press().anchors
    install_trust_anchors(f"# Präsenz Wurzel\n{certificate}\n# second\n{other}")
    assert trust_anchors() == f"{certificate.strip()}\n{other.strip()}"


def damaged(certificate: str) -> str:
    lines = certificate.splitlines()
    return "\n".join([lines[0], *lines[2:]])


def test_a_bad_list_is_refused_and_the_list_in_force_stays(certificate: str) -> None:
    install_trust_anchors(certificate)
    for bad in ("not a certificate", "\n", f"{certificate}\n{damaged(certificate)}", certificate + certificate[:80]):
        with pytest.raises(TrustAnchorsError):
            install_trust_anchors(bad)
        assert trust_anchors() == certificate.strip()


def test_a_file_is_read_or_refused_with_a_sentence(certificate: str, tmp_path: Path) -> None:
    path = tmp_path / "anchors.pem"
    with pytest.raises(TrustAnchorsError, match="cannot be read"):
        read_trust_anchors(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TrustAnchorsError, match="cannot be read"):
        read_trust_anchors(path)
    path.write_text("")
    with pytest.raises(TrustAnchorsError, match="no certificate"):
        read_trust_anchors(path)
    path.write_text(f"# é\n{certificate}", encoding="utf-8")
    assert read_trust_anchors(path) == certificate.strip()
