"""The certificates whose C2PA signatures are trusted, one list for the process."""

import re
import ssl
from pathlib import Path

from forensics.errors import TrustAnchorsError

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + r"[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_anchors = ""


def install_trust_anchors(pem: str) -> None:
    """Trust the certificates of a PEM text from now on; entry points and worker processes call it once.

    An empty text trusts nobody. TrustAnchorsError where a certificate cannot be read; the list in force then stays.
    """
    global _anchors  # one decision for the whole process, made where it starts
    _anchors = _checked(pem) if pem else ""


def trust_anchors() -> str:
    """The installed certificates as PEM; empty where nothing is trusted."""
    return _anchors


def read_trust_anchors(path: Path) -> str:
    """The certificates in a PEM file; TrustAnchorsError, with the reason, where there is none to be read."""
    try:
        return _checked(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TrustAnchorsError(f"The C2PA trust anchors cannot be read: {error}.") from None


def _checked(pem: str) -> str:
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
