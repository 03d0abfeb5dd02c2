"""Until when a signer's certificate is valid: read from its bytes, for the C2PA library does not tell it."""

import datetime
import re

# In a certificate the validity follows the serial number, after algorithm and issuer (RFC 5280, 4.1).
_BETWEEN = 4096
_VALIDITY = re.compile(
    rb"\x30[\x1e\x20\x22](?:\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)(?:\x17\x0d(?P<short>\d{12})Z|\x18\x0f(?P<long>\d{14})Z)"
)


def valid_until(data: bytes, serial: str) -> datetime.date | None:
    """The last day of the certificate with that serial number (decimal) in `data`; None where it is not found."""
    if not serial.isdecimal() or len(serial) > 60:
        return None
    number = int(serial)
    size = number.bit_length() // 8 + 1
    encoded = bytes((0x02, size)) + number.to_bytes(size, "big")
    at = data.find(encoded)
    found = _VALIDITY.search(data, at, at + len(encoded) + _BETWEEN) if at >= 0 else None
    if found is None:
        return None
    if found["long"] is not None:
        digits = found["long"].decode("ascii")[:8]
    else:
        short = found["short"].decode("ascii")[:6]
        # Two digits of a year mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
        digits = ("20" if short < "50" else "19") + short
    try:
        return datetime.datetime.strptime(digits, "%Y%m%d").replace(tzinfo=datetime.UTC).date()
    except ValueError:
        return None
