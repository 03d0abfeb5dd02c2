"""Posting callbacks to strangers: signed, in time, and nothing internal is ever connected to."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Iterator

import pytest

from tests.worker import web as pages
from tests.worker.fetching.test_fetch import INTERNAL_HOSTS, PUBLIC, Names, RecordingNetwork
from tests.worker.receiver import Receiver, accept, running_receiver
from worker.callbacks.client import CallbackClient, CallbackClientRules
from worker.errors import CallbackFailedError
from worker.signatures import signing

BODY = '{"jobId":"j","reason":"größer"}'.encode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as server:
        yield server


def rules(receiver: Receiver, **more) -> CallbackClientRules:
    return CallbackClientRules(**{"allowed_places": frozenset({receiver.place}), "timeout_s": 5.0, **more})


UNSIGNED = CallbackClientRules()


async def outcome(url: str, rules: CallbackClientRules = UNSIGNED, **parts) -> CallbackFailedError | None:
    callback_client = CallbackClient(rules, **parts)
    try:
        await callback_client.post(url, BODY)
    except CallbackFailedError as error:
        return error
    finally:
        await callback_client.close()
    return None


async def test_a_callback_arrives_as_json_and_unsigned_without_a_secret(receiver):
    assert await outcome(receiver.url + "?a=b", rules(receiver)) is None
    (posted,) = receiver.posted
    assert (posted.path, posted.body) == ("/hook?a=b", BODY)
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.headers["Host"] == receiver.place
    assert not [name for name in posted.headers if name.startswith("X-Img-Ml")]


async def test_the_signature_is_over_timestamp_and_body(receiver):
    await outcome(receiver.url, rules(receiver, sign=signing("s3cret", "img_ml")))
    (posted,) = receiver.posted
    timestamp = posted.headers["X-Img-Ml-Timestamp"]
    expected = hmac.new(b"s3cret", timestamp.encode() + b"." + posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["X-Img-Ml-Signature"] == f"sha256={expected}"
    assert abs(int(timestamp) - time.time()) < 5


async def test_an_event_says_that_it_is_one(receiver):
    callback_client = CallbackClient(rules(receiver))
    await callback_client.post(receiver.url, b'{"specversion":"1.0"}')
    await callback_client.close()
    assert receiver.posted[0].headers["Content-Type"] == "application/cloudevents+json"


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_every_2xx_is_taken(receiver, code):
    receiver.reply = pages.status(code) if code != 204 else lambda handler: pages.answer(handler, b"", 204)
    assert await outcome(receiver.url, rules(receiver)) is None


@pytest.mark.parametrize("code", [400, 401, 404, 410, 429, 500, 503])
async def test_any_other_status_is_a_failure_that_may_pass(receiver, code):
    receiver.reply = pages.status(code)
    error = await outcome(receiver.url, rules(receiver))
    assert (str(error), error.permanent) == (f"The receiver answered {code}.", False)


async def test_a_redirect_is_not_followed(receiver):
    receiver.reply = pages.redirect(f"{receiver.url}/elsewhere", 307)
    assert str(await outcome(receiver.url, rules(receiver))) == "The receiver answered 307."
    assert len(receiver.posted) == 1


async def test_connections_are_used_again(receiver):
    callback_client = CallbackClient(rules(receiver))
    ports = []
    receiver.reply = lambda handler: (ports.append(handler.client_address[1]), pages.answer(handler, b"{}"))
    for _ in range(3):
        await callback_client.post(receiver.url, BODY)
    await callback_client.close()
    assert len(set(ports)) == 1


async def test_a_silent_receiver_is_left_after_the_deadline(receiver):
    receiver.reply = lambda handler: time.sleep(1.0)
    started = time.monotonic()
    error = await outcome(receiver.url, rules(receiver, timeout_s=0.3))
    assert time.monotonic() - started < 0.9
    assert (str(error), error.permanent) == ("The receiver did not answer within 0.3 s.", False)


@pytest.mark.parametrize("reply", [pages.drip(b"x" * 1000), pages.endless, pages.lying_length(b"x", 10)])
async def test_a_receiver_that_said_200_has_taken_it_whatever_its_body_does(receiver, reply):
    receiver.reply = reply
    started = time.monotonic()
    assert await outcome(receiver.url, rules(receiver)) is None
    assert time.monotonic() - started < 3


async def test_a_silent_receiver_is_tried_by_one_at_a_time_until_it_answers(receiver):
    receiver.reply = lambda handler: time.sleep(0.5)
    callback_client = CallbackClient(rules(receiver, timeout_s=0.3))

    async def told(count: int) -> list[str]:
        ends = await asyncio.gather(
            *(callback_client.post(receiver.url, BODY) for _ in range(count)), return_exceptions=True
        )
        return sorted(str(end) for end in ends)

    late, refused = (
        "The receiver did not answer within 0.3 s.",
        "The receiver did not answer the last callbacks in time.",
    )
    assert await told(3) == [late] * 3
    assert await told(5) == [refused] * 4 + [late]
    assert len(receiver.posted) == 4
    receiver.reply = accept
    assert await told(5) == ["None"] + [refused] * 4
    assert await told(5) == ["None"] * 5
    await callback_client.close()


async def test_many_names_of_one_silent_address_are_one_silent_receiver(receiver):
    receiver.reply = lambda handler: time.sleep(0.5)
    port = receiver.server.server_port
    places = frozenset(f"{n}.silent.test:{port}" for n in range(30))

    async def resolve(host: str, _: int) -> list[str]:
        return ["127.0.0.1"]

    callback_client = CallbackClient(CallbackClientRules(0.3, allowed_places=places), connections=8, resolve=resolve)
    urls = [f"http://{place}/hook" for place in sorted(places)]
    for url in urls[:3]:
        with pytest.raises(CallbackFailedError, match=r"within 0\.3 s"):
            await callback_client.post(url, BODY)
    started = time.monotonic()
    ends = await asyncio.gather(*(callback_client.post(url, BODY) for url in urls), return_exceptions=True)
    assert time.monotonic() - started < 2
    assert sum("within" in str(end) for end in ends) == 1
    await callback_client.close()


async def test_a_refused_connection_is_a_failure_that_may_pass():
    with running_receiver() as gone:
        pass
    error = await outcome(gone.url, rules(gone))
    assert not error.permanent
    assert str(error).startswith("The receiver could not be reached: ")


@pytest.mark.parametrize("host", INTERNAL_HOSTS)
async def test_no_form_of_an_internal_address_is_posted_to(host):
    network = RecordingNetwork()
    error = await outcome(f"http://{host}/hook", network=network)
    assert network.connected == []
    assert error.permanent


@pytest.mark.parametrize("answers", [["10.0.0.1"], [PUBLIC, "127.0.0.1"], ["::1", PUBLIC]])
async def test_a_name_with_any_internal_address_is_refused_for_good(answers):
    network = RecordingNetwork()
    error = await outcome("https://b.test/hook", network=network, resolve=Names(b_test=[answers]))
    assert network.connected == []
    assert error.permanent


async def test_the_checked_address_is_the_one_connected_to():
    network, names = (
        RecordingNetwork(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Names(b_test=[[PUBLIC], ["10.0.0.1"]]),
    )
    assert await outcome("http://b.test/hook", network=network, resolve=names) is None
    assert network.connected == [(PUBLIC, 80)]
    assert names.asked == ["b.test"]


@pytest.mark.parametrize(
    "url", ["", "hook", "ftp://b.test/", "http://u:p@b.test/", "http://b.test:6379/", "http://b\n"]
)
async def test_a_url_nobody_would_post_to_is_refused_for_good_in_its_own_name(url):
    error = await outcome(url, network=RecordingNetwork())
    assert error.permanent
    assert "image_url" not in str(error)
