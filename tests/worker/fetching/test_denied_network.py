"""The whole deny list on every road there is: refused, and a listener that counts hears of no connection."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from forensics.errors import JobError
from tests.worker import web as pages
from tests.worker.fetching.test_addresses import PRIVATE_NETWORKS
from tests.worker.fetching.test_fetch import INTERNAL_HOSTS, PUBLIC, Names
from tests.worker.receiver import running_receiver
from tests.worker.trap import CountedNetwork, Trap
from worker.callbacks.client import CallbackClient, CallbackClientRules
from worker.errors import BlockedUrlError, CallbackFailedError, FetchFailedError, TooLargeError
from worker.fetching import urls
from worker.fetching.fetch import Fetcher, FetchLimits

WRAPPED = ("::ffff:{}", "::{}", "64:ff9b::{}", "64:ff9b:1::{}")


@pytest.fixture
def web() -> Iterator[pages.Web]:
    with pages.running_web() as server:
        server.pages["/good.jpg"] = pages.photo(1)
        yield server


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """The listener; both schemes lead to its port, so that the address rules alone stand before it."""
    with Trap() as listener:
        monkeypatch.setattr(urls, "_PORTS", {"http": listener.port, "https": listener.port})
        yield listener


@dataclass
class Roads:
    """Everything of the worker that connects, over one counted network and one name server."""

    web: pages.Web
    network: CountedNetwork
    names: Names
    fetcher: Fetcher
    callback_client: CallbackClient

    async def fetched(self, url: str) -> bytes | JobError:
        try:
            return await self.fetcher.fetch(url)
        except JobError as error:
            return error

    async def refused(self, host: str) -> None:
        """Assert that an image, a redirect and a callback are all refused for good."""
        self.web.pages |= {"/http": pages.redirect(f"http://{host}/x"), "/https": pages.redirect(f"https://{host}/x")}
        for scheme in ("http", "https"):
            for url in (f"{scheme}://{host}/x", f"{self.web.url}/{scheme}"):
                assert isinstance(await self.fetched(url), BlockedUrlError), url
            with pytest.raises(CallbackFailedError) as caught:
                await self.callback_client.post(f"{scheme}://{host}/x", b"{}")
            assert caught.value.permanent, host

    def to_strangers(self) -> list[tuple[str, int]]:
        """The connections to anything but the web server that is allowed by name."""
        return [place for place in self.network.connected if place != ("127.0.0.1", self.web.server.server_port)]


async def resolve_literally(names: Names, host: str, port: int) -> list[str]:
    """Names by the test's name server; what the system reads as an address, however written, by the system."""
    if host in names.hosts:
        return await names(host, port)
    loop = asyncio.get_running_loop()
    return [str(found[4][0]) for found in await loop.getaddrinfo(host, port, type=1)]


@pytest.fixture
async def roads(web: pages.Web) -> AsyncIterator[Roads]:
    names, network = Names(), CountedNetwork({PUBLIC: web.server.server_port})
    parts = {"network": network, "resolve": lambda host, port: resolve_literally(names, host, port)}
    limits = FetchLimits(timeout_s=2.0, attempts=2, allowed_places=frozenset({web.place}), max_bytes=100_000)
    fetcher, callback_client = Fetcher(limits, **parts), CallbackClient(CallbackClientRules(timeout_s=2.0), **parts)
    yield Roads(web, network, names, fetcher, callback_client)
    await fetcher.close()
    await callback_client.close()


def addresses_of(network: str) -> list[str]:
    """Both ends of a network and some of what lies between."""
    whole = ip_network(network)
    dice = random.Random(network)
    places = {0, whole.num_addresses - 1, *(dice.randrange(whole.num_addresses) for _ in range(3))}
    return [str(whole[place]) for place in sorted(places)]


@pytest.mark.parametrize("network", PRIVATE_NETWORKS)
async def test_no_address_of_a_denied_network_is_connected_to(roads, trap, network):
    plain = addresses_of(network)
    wrapped = [] if ":" in network else [form.format(address) for address in plain for form in WRAPPED]
    for address in plain + wrapped:
        await roads.refused(f"[{address}]" if ":" in address else address)
    for address in plain:
        for answers in ([address], [PUBLIC, address], [address, PUBLIC], ["2606:4700::1111", PUBLIC, address]):
            roads.names.hosts["mixed.test"] = [answers]
            await roads.refused("mixed.test")
    for address in wrapped:
        roads.names.hosts["mixed.test"] = [[PUBLIC, address]]
        await roads.refused("mixed.test")
    assert (roads.to_strangers(), trap.accepted) == ([], 0)


@pytest.mark.parametrize("host", INTERNAL_HOSTS)
async def test_no_way_of_writing_such_an_address_is_connected_to(roads, trap, host):
    await roads.refused(host)
    assert (roads.to_strangers(), trap.accepted) == ([], 0)


async def test_the_listener_would_hear_a_connection(trap):
    """Without the guard's refusal the same road does lead to the listener, so its silence means something."""
    allowed = FetchLimits(attempts=1, allowed_places=frozenset({f"127.0.0.1:{trap.port}"}))
    network = CountedNetwork()
    fetcher = Fetcher(allowed, network=network)
    with pytest.raises(FetchFailedError):
        await fetcher.fetch("http://127.0.0.1/x")
    await fetcher.close()
    assert (network.connected, trap.accepted) == ([("127.0.0.1", trap.port)], 1)


def close_after(reply: Callable) -> Callable:
    """The reply, after which the server ends the connection, so that the next request needs a new one."""

    def closing(handler) -> None:
        handler.close_connection = True
        reply(handler)

    return closing


@pytest.mark.parametrize("first", [
    close_after(pages.status(503)),
    close_after(pages.redirect("http://rebind.test/again")),
    close_after(lambda handler: pages.answer(handler, pages.photo(1))),
], ids=["tried again", "redirected to itself", "fetched twice"])  # fmt: skip
async def test_a_name_that_changes_its_answer_is_refused_at_the_next_connection(roads, trap, first):
    roads.names.hosts["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    roads.web.pages["/x"] = first
    outcome = await roads.fetched("http://rebind.test/x")
    if isinstance(outcome, bytes):
        outcome = await roads.fetched("http://rebind.test/x")
    assert isinstance(outcome, BlockedUrlError)
    assert roads.network.connected == [(PUBLIC, trap.port)]
    assert roads.names.asked == ["rebind.test"] * 2
    assert trap.accepted == 0


async def test_a_name_is_asked_once_for_each_connection_and_never_between_check_and_connect(roads, trap):
    roads.names.hosts["rebind.test"] = [[PUBLIC], *[["127.0.0.1"]] * 5]
    assert await roads.fetched("http://rebind.test/good.jpg") == roads.web.pages["/good.jpg"]
    assert roads.names.asked == ["rebind.test"]
    assert (roads.network.connected, trap.accepted) == ([(PUBLIC, trap.port)], 0)


async def test_a_callback_is_refused_when_its_name_has_changed(roads, trap, web):
    with running_receiver() as receiver:
        roads.network._detours[PUBLIC] = receiver.server.server_port
        receiver.reply = close_after(pages.status(500))
        roads.names.hosts["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
        ends = []
        for _ in range(2):
            with pytest.raises(CallbackFailedError) as caught:
                await roads.callback_client.post("http://rebind.test/hook", b"{}")
            ends.append(caught.value.permanent)
        assert len(receiver.posted) == 1
    assert ends == [False, True]
    assert trap.accepted == 0


def raw(text: bytes, pause_s: float = 0.0) -> Callable:
    """Exactly these bytes as an answer, and the end; with a pause after each byte."""

    def send(handler) -> None:
        handler.close_connection = True
        for at in range(0, len(text), 1 if pause_s else len(text)):
            handler.wfile.write(text[at : at + 1] if pause_s else text)
            time.sleep(pause_s)

    return send


def silent(handler) -> None:
    time.sleep(6)


OK = b"HTTP/1.1 200 OK\r\n"
SLOW = {
    "a body drips": pages.drip(b"x" * 1000),
    "headers drip": raw(OK + b"X: y\r\n" * 100, 0.05),
    "nothing comes": silent,
    "redirects drip": raw(b"HTTP/1.1 302 Found\r\nLocation: /slow\r\nContent-Length: 0\r\n\r\n", 0.02),
    "a chunked body drips": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100, 0.05),
}


@pytest.mark.parametrize("way", SLOW)
async def test_a_slow_server_is_left_at_the_deadline(roads, way):
    roads.web.pages["/slow"] = SLOW[way]
    started = time.monotonic()
    error = await roads.fetched(f"{roads.web.url}/slow")
    assert isinstance(error, FetchFailedError), error
    assert error.retryable
    assert 1.9 < time.monotonic() - started < 4


LYING: dict[str, tuple[bytes, type[JobError] | bytes]] = {
    "more is announced than comes": (b"Content-Length: 100\r\n\r\nabc", FetchFailedError),
    "less is announced than comes": (b"Content-Length: 3\r\n\r\nabcdef", b"abc"),
    "nothing is announced and too much comes": (b"Connection: close\r\n\r\n" + b"x" * 100_001, TooLargeError),
    "too much is announced": (b"Content-Length: 100001\r\n\r\nabc", TooLargeError),
    "far too much is announced": (b"Content-Length: 99999999999999999999\r\n\r\nabc", TooLargeError),
    "two lengths": (b"Content-Length: 3\r\nContent-Length: 6\r\n\r\nabcdef", FetchFailedError),
    "a negative length": (b"Content-Length: -1\r\n\r\nabc", FetchFailedError),
    "no number": (b"Content-Length: many\r\n\r\nabc", FetchFailedError),
    "a chunk that is cut off": (b"Transfer-Encoding: chunked\r\n\r\n64\r\nabc", FetchFailedError),
    "a chunk of no length": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", FetchFailedError),
    "a chunk that is huge": (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n" + b"x" * 100_001, TooLargeError),
}


@pytest.mark.parametrize("way", LYING)
async def test_a_length_that_lies_costs_this_image_and_not_the_next(roads, way):
    text, expected = LYING[way]
    roads.web.pages["/lie"] = raw(OK + text)
    started = time.monotonic()
    outcome = await roads.fetched(f"{roads.web.url}/lie")
    assert outcome == expected if isinstance(expected, bytes) else isinstance(outcome, expected), outcome
    assert time.monotonic() - started < 2
    assert await roads.fetched(f"{roads.web.url}/good.jpg") == roads.web.pages["/good.jpg"]
