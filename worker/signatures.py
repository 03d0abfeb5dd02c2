"""How callbacks are signed: by our own headers, or as Standard Webhooks. The settings check secrets with it, too."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Literal

TIMESTAMP_HEADER, SIGNATURE_HEADER = "X-Img-Ml-Timestamp", "X-Img-Ml-Signature"
_PREFIX = "whsec_"
_SHORTEST_KEY, _LONGEST_KEY = 24, 64

Scheme = Literal["img_ml", "standard"]
# The headers that sign a body at a time in seconds since 1970.
Sign = Callable[[bytes, int], Mapping[str, str]]


def signing(secret: str | None, scheme: Scheme) -> Sign | None:
    """The function that signs; None without a secret. ValueError where the secret is not one of the scheme's."""
    if not secret:
        return None
    if scheme == "standard":
        key = standard_key(secret)
        return lambda body, at: _standard_headers(key, body, at)
    return lambda body, at: {
        TIMESTAMP_HEADER: str(at),
        SIGNATURE_HEADER: signature(secret, str(at), body),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 of "timestamp.body" under the secret."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def standard_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64; else ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ValueError(f"it is not {_PREFIX} and {_SHORTEST_KEY} to {_LONGEST_KEY} bytes in base64")
    return key


def _standard_headers(key: bytes, body: bytes, at: int) -> Mapping[str, str]:
    """The headers of Standard Webhooks 1.0; the id is the same for every repeat of a body."""
    message = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    signed = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
