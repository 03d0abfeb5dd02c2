"""Signatures as receivers check them."""

import base64
import hashlib
import hmac

import pytest

from worker.signatures import signing

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"jobId":"j"}'


def test_without_a_secret_nothing_is_signed():
    assert signing(None, "img_ml") is None
    assert signing("", "standard") is None


def test_standard_webhooks_sign_id_timestamp_and_body_with_the_decoded_key():
    headers = signing(SECRET, "standard")(BODY, 1700000000)
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    signed = f"{headers['webhook-id']}.1700000000.".encode() + BODY
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == "1700000000"


def test_a_repeat_has_the_same_id_and_another_body_another_one():
    sign = signing(SECRET, "standard")
    assert sign(BODY, 1)["webhook-id"] == sign(BODY, 2)["webhook-id"] != sign(BODY + b" ", 1)["webhook-id"]


@pytest.mark.parametrize(
    "secret",
    ["s3cret", SECRET.removeprefix("whsec_"), "whsec_", "whsec_###", "whsec_" + base64.b64encode(b"x" * 23).decode(),
     "whsec_" + base64.b64encode(b"x" * 65).decode()],
)  # fmt: skip
def test_a_secret_of_another_kind_is_refused_for_standard_webhooks(secret):
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes in base64"):
        signing(secret, "standard")
