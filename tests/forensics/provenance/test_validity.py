"""Until when a certificate is valid is read from its bytes, wherever it lies."""

import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from forensics.provenance.validity import valid_until
from tests.forensics.provenance.press import certificate


def made(end: datetime.date) -> tuple[bytes, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    moment = datetime.datetime.combine(end, datetime.time(12), tzinfo=datetime.UTC)
    found = certificate(key, "Signer", "Root", key, authority=False, end=moment)
    return found.public_bytes(serialization.Encoding.DER), str(found.serial_number)


@pytest.mark.parametrize("end", [datetime.date(2024, 2, 29), datetime.date(2049, 12, 31), datetime.date(2061, 7, 4)])
def test_the_last_day_is_that_of_the_certificate_with_the_serial_number(end: datetime.date) -> None:
    data, serial = made(end)
    other, _ = made(datetime.date(2030, 1, 1))
    assert valid_until(b"\xff" * 70 + other + data + other, serial) == end


@pytest.mark.parametrize("serial", ["", "-5", "x", "9" * 61, "12345"])
def test_a_serial_number_that_no_certificate_has_gives_no_day(serial: str) -> None:
    data, _ = made(datetime.date(2030, 1, 1))
    assert valid_until(data, serial) is None


def test_a_certificate_that_is_cut_off_or_has_no_such_day_gives_none() -> None:
    data, serial = made(datetime.date(2030, 1, 31))
    assert valid_until(data[: data.index(b"Root")], serial) is None
    assert valid_until(data.replace(b"300131", b"300231"), serial) is None
