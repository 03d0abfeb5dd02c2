"""Fetching from strangers: nothing internal is ever connected to, and nothing is read without end."""

import asyncio
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import httpcore2
import pytest

from forensics.errors import JobError
from tests.worker import web as pages
from worker.errors import BadJobError, BlockedUrlError, FetchFailedError, TooLargeError
from worker.fetching.body import read_body
from worker.fetching.fetch import Fetcher, FetchLimits
from worker.fetching.wire import CountedStream, at_most

PUBLIC = "93.184.216.34"
ONE_TRY = FetchLimits(attempts=1)


class RecordingNetwork(httpcore2.AsyncNetworkBackend):
    """Notes every connection that would be made; answers each with `reply`, or makes none where it is empty."""

    def __init__(self, reply: bytes = b"") -> None:
        self.connected: list[tuple[str, int]] = []
        self.reply = reply

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
        self.connected.append((host, port))
        if not self.reply:
            raise httpcore2.ConnectError("recorded, not connected")
        return httpcore2.AsyncMockStream([self.reply])


class Names:
    """A name server: each host answers its lists of addresses in turn, the last one for ever."""

    def __init__(self, **hosts: list[list[str]]) -> None:
        self.hosts = {name.replace("_", "."): answers for name, answers in hosts.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.hosts[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def web() -> Iterator[pages.Web]:
    with pages.running_web() as server:
        server.pages["/good.jpg"] = pages.photo(1)
        yield server


def limits(web: pages.Web, **more) -> FetchLimits:
    return FetchLimits(**{"allowed_places": frozenset({web.place}), "timeout_s": 5.0, "attempts": 1, **more})


async def outcome(url: str, rules: FetchLimits = ONE_TRY, **parts) -> bytes | JobError:
    fetcher = Fetcher(rules, **parts)
    try:
        return await fetcher.fetch(url)
    except JobError as error:
        return error
    finally:
        await fetcher.close()


INTERNAL_HOSTS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "0x7f.1",
    "0x7f000001", "0177.0.0.01", "127.000.000.001", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1",
    "localhost", "LOCALHOST", "localhost.", "0", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1",
    "169.254.169.254", "100.64.0.1", "198.18.0.1", "255.255.255.255", "224.0.0.1", "192.0.0.8",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]", "[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]",
    "168.63.129.16", "[::ffff:168.63.129.16]", "100.100.100.200", "192.0.0.192",
    "[ff02::1]", "[5f00::1]", "[100::1]", "[2001:db8::1]",
)  # fmt: skip


@pytest.mark.parametrize("host", INTERNAL_HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_form_of_an_internal_address_is_connected_to(scheme, host):
    network = RecordingNetwork()
    error = await outcome(f"{scheme}://{host}/latest/meta-data/", network=network)
    assert network.connected == []
    assert isinstance(error, BlockedUrlError), error


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/x.jpg", "gopher://example.com/", "data:image/png;base64,AAAA",
        "http://user@example.com/", "http://user:secret@example.com/", "http://example.com:22/", "https://example.com:8080/",
        "http://example.com:0/", "http://example.com@127.0.0.1/",
    ],
)  # fmt: skip
async def test_other_schemes_ports_and_credentials_are_blocked_before_any_name_is_asked(url):
    names, network = Names(), RecordingNetwork()
    assert isinstance(await outcome(url, resolve=names, network=network), BlockedUrlError)
    assert names.asked == network.connected == []


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "/etc/passwd", "http://", "http:///x.jpg", "http://[::1/", "http://example.com:port/",
     "http://example.com/\r\nX-Evil: 1", "http://exa\tmple.com/", "http://" + "ä" * 300 + "/"],
)  # fmt: skip
async def test_what_is_no_url_is_a_bad_job(url):
    network = RecordingNetwork()
    assert isinstance(await outcome(url, network=network), BadJobError)
    assert network.connected == []


async def test_one_internal_address_among_public_ones_blocks_the_host():
    network = RecordingNetwork()
    names = Names(mixed_test=[[PUBLIC, "10.0.0.5", "2606:4700::1111"]])
    assert isinstance(await outcome("http://mixed.test/", resolve=names, network=network), BlockedUrlError)
    assert network.connected == []


async def test_a_name_that_changes_its_answer_is_connected_to_as_it_was_checked():
    network = RecordingNetwork(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    names = Names(rebinding_test=[[PUBLIC], ["127.0.0.1"]])
    assert await outcome("http://rebinding.test/", resolve=names, network=network) == b"ok"
    assert network.connected == [(PUBLIC, 80)]
    assert names.asked == ["rebinding.test"]


async def test_a_second_connection_is_checked_anew():
    network = RecordingNetwork(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    names = Names(rebinding_test=[[PUBLIC], ["127.0.0.1"]])
    fetcher = Fetcher(FetchLimits(attempts=1), resolve=names, network=network)
    assert await fetcher.fetch("http://rebinding.test/") == b"ok"
    with pytest.raises(BlockedUrlError):
        await fetcher.fetch("http://rebinding.test/")
    assert network.connected == [(PUBLIC, 80)]
    await fetcher.close()


async def test_the_next_address_is_tried_when_one_does_not_answer():
    network = RecordingNetwork()
    names = Names(two_test=[[PUBLIC, "2606:4700::1111"]])
    assert isinstance(await outcome("https://two.test/", resolve=names, network=network), FetchFailedError)
    assert network.connected == [(PUBLIC, 443), ("2606:4700::1111", 443)]


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:3128")
    network = RecordingNetwork()
    await outcome("http://plain.test/", resolve=Names(plain_test=[[PUBLIC]]), network=network)
    assert network.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "2130706433", "localhost"])
async def test_a_redirect_to_an_internal_address_is_blocked(web, code, host):
    web.pages["/go"] = pages.redirect(f"http://{host}/secret", code)
    assert isinstance(await outcome(f"{web.url}/go", limits(web)), BlockedUrlError)
    assert web.asked == ["/go"]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.0.0.1:1/", "//127.0.0.1/x", "http://[bad/"])
async def test_a_redirect_is_held_to_every_rule(web, location):
    web.pages["/go"] = pages.redirect(location)
    assert isinstance(await outcome(f"{web.url}/go", limits(web)), BlockedUrlError)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_redirect_with_letters_beyond_ascii_is_followed_to_the_page_it_means(web, encoding):
    web.pages |= {"/go": pages.redirect("/größe.jpg", encoding=encoding), "/gr%C3%B6%C3%9Fe.jpg": pages.photo(2)}
    assert await outcome(f"{web.url}/go", limits(web)) == pages.photo(2)


async def test_three_redirects_are_followed_and_a_fourth_is_not(web):
    web.pages |= {f"/{n}": pages.redirect(f"{n + 1}") for n in range(1, 4)}
    web.pages["/4"] = web.pages["/good.jpg"]
    assert await outcome(f"{web.url}/1", limits(web)) == web.pages["/good.jpg"]
    web.pages["/0"] = pages.redirect("/1")
    error = await outcome(f"{web.url}/0", limits(web))
    assert isinstance(error, FetchFailedError)
    assert not error.retryable


async def test_the_request_is_plain_and_asks_for_uncompressed_bytes(web):
    assert await outcome(f"{web.url}/good.jpg?a=b&c=ä b#fragment", limits(web)) == web.pages["/good.jpg"]
    assert web.asked == ["/good.jpg?a=b&c=%C3%A4%20b"]
    headers = {name.lower(): value for name, value in web.headers[0].items()}
    assert headers["host"] == web.place
    assert headers["accept-encoding"] == "identity"
    assert not {"cookie", "authorization", "referer"} & headers.keys()


async def test_an_announced_size_over_the_limit_is_refused_before_reading(web):
    web.pages["/huge"] = pages.lying_length(b"\xff\xd8\xff", 10**12)
    assert isinstance(await outcome(f"{web.url}/huge", limits(web)), TooLargeError)


async def test_an_endless_body_is_cut_off_and_never_kept(web):
    web.pages["/endless"] = pages.endless
    tracemalloc.start()
    try:
        assert isinstance(await outcome(f"{web.url}/endless", limits(web, max_bytes=1_000_000)), TooLargeError)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


async def test_a_body_of_exactly_the_limit_is_fetched(web):
    web.pages["/exact"] = b"x" * 1000
    assert len(await outcome(f"{web.url}/exact", limits(web, max_bytes=1000))) == 1000
    assert isinstance(await outcome(f"{web.url}/exact", limits(web, max_bytes=999)), TooLargeError)


async def test_a_compressed_body_is_unpacked_and_a_bomb_is_not(web):
    def packed(body: bytes):
        small = gzip.compress(body)  # here, for packing 200 MB while somebody waits would use up the deadline
        return lambda handler: pages.answer(handler, small, 200, {"Content-Encoding": "gzip"})

    web.pages |= {"/packed": packed(b"hello" * 100), "/bomb": packed(bytes(200_000_000))}
    assert await outcome(f"{web.url}/packed", limits(web)) == b"hello" * 100
    assert isinstance(await outcome(f"{web.url}/bomb", limits(web, max_bytes=1_000_000)), TooLargeError)


@pytest.mark.parametrize("lost", [1, 8, 200])
async def test_a_compressed_body_that_ends_early_is_a_failure_worth_another_try(web, lost):
    body = gzip.compress(pages.photo(1))[:-lost]
    web.pages["/cut"] = lambda handler: pages.answer(handler, body, 200, {"Content-Encoding": "gzip"})
    error = await outcome(f"{web.url}/cut", limits(web))
    assert isinstance(error, FetchFailedError)
    assert error.retryable


def pieces(count: int, extension: bytes = b"") -> Callable[[BaseHTTPRequestHandler], None]:
    """A chunked body of one-byte chunks, each with an extension."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write((b"1;" + extension + b"\r\nx\r\n") * count + b"0\r\n\r\n")

    return send


async def test_a_body_in_pieces_of_one_byte_is_given_up(web):
    web.pages |= {"/few": pieces(1000), "/many": pieces(20_000)}
    assert await outcome(f"{web.url}/few", limits(web)) == b"x" * 1000
    error = await outcome(f"{web.url}/many", limits(web))
    assert (str(error), error.retryable) == ("The server sends the image in pieces of a few bytes.", False)


async def test_what_crosses_the_wire_beside_the_body_counts_too(web):
    web.pages["/padded"] = pieces(200, b"x" * 4000)
    error = await outcome(f"{web.url}/padded", limits(web, max_bytes=10_000))
    assert isinstance(error, TooLargeError)
    assert await outcome(f"{web.url}/padded", limits(web, max_bytes=1_000_000)) == b"x" * 200


async def test_others_get_their_turn_while_a_body_comes_in_pieces():
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4000):
            yield b"x"

    counting = asyncio.create_task(count())
    await read_body(chunks(), {}, 10_000)
    counting.cancel()
    assert turns >= 100


async def test_others_get_their_turn_while_a_body_is_unpacked():
    packed = gzip.compress(bytes(100_000_000))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def chunks() -> AsyncIterator[bytes]:
        yield packed

    counting = asyncio.create_task(count())
    assert len(await read_body(chunks(), {b"content-encoding": b"gzip"}, 100_000_000)) == 100_000_000
    counting.cancel()
    assert turns >= 20


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), ("99999", 3600, 3600), (format_datetime(datetime.now(UTC) + timedelta(hours=9)), 3600, 3600),
     ("soon", None, None), ("-5", None, None), ("9" * 400, None, None)],
)  # fmt: skip
async def test_a_server_that_says_when_to_come_back_is_not_asked_before(web, header, least, most):
    web.pages["/busy"] = lambda handler: pages.answer(handler, b"", 429, {"Retry-After": header})
    error = await outcome(f"{web.url}/busy", limits(web, attempts=2))
    assert error.retryable
    assert (error.retry_after_s is None) if least is None else (least <= error.retry_after_s <= most)
    assert len(web.asked) == (2 if least is None else 1)


async def test_a_short_wait_is_waited_for(web):
    answers = [lambda handler: pages.answer(handler, b"", 503, {"Retry-After": "1"}), pages.photo(1)]
    web.pages["/busy"] = lambda handler: (
        first(handler) if callable(first := answers.pop(0)) else pages.answer(handler, first)
    )
    started = time.monotonic()
    assert await outcome(f"{web.url}/busy", limits(web, attempts=2)) == pages.photo(1)
    assert time.monotonic() - started >= 1


async def test_fetches_name_themselves_as_they_are_told(web):
    await outcome(f"{web.url}/good.jpg", limits(web, user_agent="mysite/1.0 (me@example.com)"))
    assert web.headers[0]["User-Agent"] == "mysite/1.0 (me@example.com)"


async def test_an_unknown_encoding_and_broken_compression_are_failures(web):
    for name, encoding in (("/br", "br"), ("/broken", "gzip")):
        web.pages[name] = lambda handler, encoding=encoding: pages.answer(
            handler, b"not packed", 200, {"Content-Encoding": encoding}
        )
        assert isinstance(await outcome(web.url + name, limits(web)), FetchFailedError)


async def test_a_dripping_server_is_left_at_the_deadline(web):
    web.pages["/drip"] = pages.drip(b"x" * 1000, pause_s=0.05)
    started = time.monotonic()
    error = await outcome(f"{web.url}/drip", limits(web, timeout_s=0.5, attempts=5))
    assert isinstance(error, FetchFailedError)
    assert error.retryable
    assert time.monotonic() - started < 2


async def test_a_body_shorter_than_announced_is_a_failure_worth_another_try(web):
    web.pages["/short"] = pages.lying_length(b"abc", 100)
    error = await outcome(f"{web.url}/short", limits(web))
    assert isinstance(error, FetchFailedError)
    assert error.retryable


@pytest.mark.parametrize(("code", "retryable"), [(404, False), (403, False), (410, False), (204, False), (304, False),
                                                 (408, True), (429, True), (500, True), (503, True)])  # fmt: skip
async def test_a_status_tells_whether_to_try_again(web, code, retryable):
    def bare(handler) -> None:
        handler.send_response(code)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True

    web.pages["/status"] = bare
    error = await outcome(f"{web.url}/status", limits(web))
    assert isinstance(error, FetchFailedError)
    assert error.retryable is retryable


async def test_a_temporary_failure_is_tried_again_and_a_final_one_is_not(web):
    def once_down(handler) -> None:
        first = web.asked.count("/shaky") == 1
        pages.answer(handler, b"" if first else b"fine", 503 if first else 200)

    web.pages["/shaky"] = once_down
    assert await outcome(f"{web.url}/shaky", limits(web, attempts=2)) == b"fine"
    await outcome(f"{web.url}/missing", limits(web, attempts=3))
    assert web.asked == ["/shaky", "/shaky", "/missing"]


async def test_what_speaks_no_http_is_a_failure(web):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 welcome to this mail server\r\n")

        threading.Thread(target=talk, daemon=True).start()
        error = await outcome(f"http://{place}/", limits(web, allowed_places=frozenset({place})))
    assert isinstance(error, FetchFailedError)


async def test_a_host_without_an_address_is_a_failure():
    async def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    assert isinstance(await outcome("http://missing.test/", resolve=nothing), FetchFailedError)


async def test_the_certificate_is_checked_by_name_although_the_address_is_connected_to():
    asked = []

    class TlsStream(httpcore2.AsyncMockStream):
        async def start_tls(self, ssl_context, server_hostname=None, timeout=None):  # noqa: ASYNC109
            asked.append((server_hostname, ssl_context.verify_mode, ssl_context.check_hostname))
            return self

    class TlsNetwork(RecordingNetwork):
        async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
            self.connected.append((host, port))
            return TlsStream([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])

    network = TlsNetwork()
    assert await outcome("https://secure.test/", resolve=Names(secure_test=[[PUBLIC]]), network=network) == b"ok"
    assert network.connected == [(PUBLIC, 443)]
    assert asked == [("secure.test", ssl.CERT_REQUIRED, True)]


class OneByteAtATime(httpcore2.AsyncNetworkStream):
    """A connection on which there is always one byte more."""

    reads = 0

    async def read(self, max_bytes, timeout=None):  # noqa: ASYNC109
        self.reads += 1
        return b"x"

    async def aclose(self):
        pass


async def test_many_small_reads_leave_the_event_loop_to_others():
    stream = OneByteAtATime()

    async def drip() -> None:
        with at_most(10**6):
            while True:
                await CountedStream(stream).read(1000)

    dripping = [asyncio.create_task(drip()) for _ in range(32)]
    await asyncio.sleep(0)
    turns = []
    for _ in range(20):
        started = time.monotonic()
        await asyncio.sleep(0.01)
        turns.append(time.monotonic() - started - 0.01)
    for one in dripping:
        one.cancel()
    await asyncio.gather(*dripping, return_exceptions=True)
    assert sorted(turns)[10] < 0.1
    assert stream.reads < 32 * (256 + 200)
