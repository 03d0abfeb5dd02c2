"""The certificates whose C2PA signatures are trusted: C2PA's own list, and one of the user's for the process."""

import re
import ssl
from functools import cache
from pathlib import Path

from forensics.errors import TrustAnchorsError

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + r"[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
# What C2PA publishes; `python -m scripts.update_trust_list` fetches it anew.
OFFICIAL_LIST = Path(__file__).with_name("c2pa_trust_list.pem")
_anchors = ""


@cache
def official_anchors() -> str:
    """C2PA's official trust lists of signers and time stamp authorities, as PEM; they ship with this release."""
    return "\n".join(_CERTIFICATE.findall(OFFICIAL_LIST.read_text(encoding="utf-8")))


def install_trust_anchors(pem: str) -> None:
    """Trust the certificates of a PEM text beside C2PA's from now on; entry points and worker processes call it once.

    An empty text adds none. TrustAnchorsError where a certificate cannot be read; the list in force then stays.
    """
    global _anchors  # one decision for the whole process, made where it starts
    _anchors = checked_anchors(pem) if pem else ""


def trust_anchors() -> str:
    """The installed certificates as PEM; empty where there are none."""
    return _anchors


def read_trust_anchors(path: Path) -> str:
    """The certificates in a PEM file; TrustAnchorsError, with the reason, where there is none to be read."""
    try:
        return checked_anchors(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TrustAnchorsError(f"The C2PA trust anchors cannot be read: {error}.") from None


def checked_anchors(pem: str) -> str:
    """The certificates alone. Each is parsed here, because with one bad one the library calls every manifest broken."""
    certificates: list[str] = _CERTIFICATE.findall(pem)
    if not certificates:
        raise TrustAnchorsError("The C2PA trust anchors hold no certificate in PEM form.")
    if len(certificates) != pem.count(_BEGIN):
        raise TrustAnchorsError("One of the C2PA trust anchors is cut off or is not in PEM form.")
    for number, certificate in enumerate(certificates, start=1):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
        except (ssl.SSLError, ValueError):
            raise TrustAnchorsError(f"Certificate {number} of the C2PA trust anchors cannot be read.") from None
    return "\n".join(certificates)
