"""A real worker among hostile URLs, names and servers: refused or cut off in time, and no forbidden connection."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker import web as pages
from tests.worker.fetching.test_addresses import PRIVATE_NETWORKS
from tests.worker.fetching.test_denied_network import LYING, OK, SLOW, addresses_of, raw
from tests.worker.fetching.test_fetch import INTERNAL_HOSTS, PUBLIC
from tests.worker.processes import JOBS, WorkerProcess, push, results, results_of
from tests.worker.receiver import Receiver, running_receiver
from tests.worker.redis_server import RedisServer, wait_until
from tests.worker.trap import Trap

TIMEOUT_S = 4.0
BURIED = f"{JOBS}:callbacks:dlq"


@pytest.fixture
def trap() -> Iterator[Trap]:
    with Trap() as listener:
        yield listener


class World:
    """The worker's surroundings, and what it connected to."""

    def __init__(self, folder: Path, redis_server: RedisServer, web: pages.Web, receiver: Receiver, trap: Trap) -> None:
        self.log, self.trap = folder / "connections", trap
        self.config = folder / "config.json"
        self.names: dict[str, list[list[str]]] = {}
        self.known = {("127.0.0.1", port) for port in (redis_server.port, web.server.server_port)}
        self.known.add(("127.0.0.1", receiver.server.server_port))
        self.settings = {
            "REDIS_URL": redis_server.url,
            "FETCH_ALLOW": web.place,
            "CALLBACK_ALLOW": receiver.place,
            "FETCH_TIMEOUT_S": str(TIMEOUT_S),
            "FETCH_MAX_BYTES": "100000",
            "CALLBACK_TIMEOUT_S": str(TIMEOUT_S),
            "CALLBACK_RETRY_S": "0.1",
            "CALLBACK_MAX_ATTEMPTS": "2",
        }

    def worker(self) -> WorkerProcess:
        self.config.write_text(json.dumps({"log": str(self.log), "port": self.trap.port, "names": self.names}))
        return WorkerProcess(self.settings, str(self.config), module="tests.worker.run_watched_worker")

    def to_strangers(self) -> list[tuple[str, int]]:
        """Every connection of the worker's process but those to Redis and to the servers allowed by name."""
        lines = [line.rsplit(" ", 1) for line in self.log.read_text().splitlines()]
        assert lines  # Redis at least: the log works
        return [(host, int(port)) for host, port in lines if (host, int(port)) not in self.known]


@pytest.fixture
def world(tmp_path, redis_server, web, receiver, trap) -> World:
    return World(tmp_path, redis_server, web, receiver, trap)


def denied_hosts() -> dict[str, str]:
    """Hosts as a URL writes them, each with the address that a name server would give for it."""
    addresses = (address for network in PRIVATE_NETWORKS for address in addresses_of(network)[:2])
    written = {(f"[{address}]" if ":" in address else address): address for address in addresses}
    return dict.fromkeys(INTERNAL_HOSTS, "127.0.0.1") | written


def test_no_url_name_or_redirect_leads_a_worker_to_a_denied_address(client, world, web, receiver):
    for number, (host, address) in enumerate(denied_hosts().items()):
        web.pages[f"/to/{number}"] = pages.redirect(f"http://{host}/x")
        world.names |= {f"alone{number}.test": [[address]], f"mixed{number}.test": [[PUBLIC, address]]}
        for url in (f"http://{host}/x", f"https://{host}/x", f"{web.url}/to/{number}",
                    f"http://alone{number}.test/x", f"https://mixed{number}.test/x"):  # fmt: skip
            push(client, f"image {url}", url)
        for url in (f"http://{host}/hook", f"http://alone{number}.test/hook", f"https://mixed{number}.test/hook"):
            push(client, f"callback {url}", f"{web.url}/good.jpg", callback_url=url)
    receiver.reply = pages.redirect("http://127.0.0.1/hook", 307)
    push(client, "callback redirected", f"{web.url}/good.jpg", callback_url=receiver.url)
    count = client.xlen(JOBS)
    # Nothing here is slow on purpose: on a busy machine the short time would end a fetch before it is refused.
    world.settings["FETCH_TIMEOUT_S"] = "20"
    with world.worker():
        found = results_of(client, count, timeout=120)
        callbacks = {job for job in found if job.startswith("callback")}
        wait_until(lambda: client.xlen(BURIED) == len(callbacks), timeout=60)
    codes = {job: (result["error"] or {}).get("code") for job, result in found.items()}
    assert {job: code for job, code in codes.items() if code != "blocked_url" and job not in callbacks} == {}
    assert {codes[job] for job in callbacks} == {None}
    buried = {fields["job_id"]: fields["attempts"] for _, fields in client.xrange(BURIED)}
    assert buried == dict.fromkeys(callbacks, "1") | {"callback redirected": "2"}
    assert (world.to_strangers(), world.trap.accepted) == ([], 0)


def test_a_name_that_changes_its_answer_is_connected_to_at_the_checked_address_only(client, world, web):
    """The first answer is public (a connection that the test keeps inside the machine), each later one is not."""
    world.names["rebind.test"] = [[PUBLIC], ["127.0.0.1"]]
    world.names["callback.test"] = [[PUBLIC], ["127.0.0.1"]]
    push(client, "image", "http://rebind.test/x")
    push(client, "callback", f"{web.url}/good.jpg", callback_url="http://callback.test/hook")
    with world.worker():
        found = results_of(client, 2)
        wait_until(lambda: client.xlen(BURIED) == 1)
    assert found["image"]["error"]["code"] == "blocked_url"
    assert (world.to_strangers(), world.trap.accepted) == ([(PUBLIC, world.trap.port)] * 2, 0)


def test_slow_and_lying_servers_are_cut_off_in_time_and_hold_up_nobody(client, world, web, receiver):
    for way, page in SLOW.items():
        web.pages[f"/{way.replace(' ', '-')}"] = web.pages["/slow"] = page
        push(client, way, f"{web.url}/{way.replace(' ', '-')}")
    photo = web.pages["/good.jpg"]
    lies = LYING | {"less of a photograph is announced than comes": (
        b"Content-Length: %d\r\n\r\n" % (len(photo) // 2) + photo, b""
    )}  # fmt: skip
    for way, (text, _) in lies.items():
        web.pages[f"/{way.replace(' ', '-')}"] = raw(OK + text)
        push(client, way, f"{web.url}/{way.replace(' ', '-')}")
    for number in range(20):
        push(client, f"good {number}", f"{web.url}/good.jpg?{number}", callback_url=receiver.url)
    with world.worker():
        found = results_of(client, len(SLOW) + len(lies) + 20)
        wait_until(lambda: len(receiver.taken) == 20)
    codes = {job: (result["error"] or {}).get("code") for job, result in found.items()}
    assert {codes[way] for way in SLOW} == {"fetch_failed"}
    for way, (_, expected) in LYING.items():
        assert codes[way] == (expected.code if isinstance(expected, type) else "not_an_image"), way
    assert codes["less of a photograph is announced than comes"] == "decode_failed"
    assert {codes[f"good {number}"] for number in range(20)} == {None}
    for way in SLOW:
        assert TIMEOUT_S * 900 < found[way]["timings_ms"]["fetch"] < TIMEOUT_S * 1000 + 2000, way
    for way in lies:
        assert found[way]["timings_ms"]["fetch"] < TIMEOUT_S * 1000 + 2000, way
    assert world.to_strangers() == []


def test_a_slow_receiver_of_callbacks_is_left_in_time_and_others_get_theirs(client, world, web, receiver):
    with running_receiver() as slow:
        slow.reply = raw(b"HTTP/1.1 200 OK\r\n" * 100, 0.1)
        world.settings["CALLBACK_ALLOW"] += f",{slow.place}"
        world.known.add(("127.0.0.1", slow.server.server_port))
        push(client, "dripped", f"{web.url}/good.jpg", callback_url=slow.url)
        for number in range(5):
            push(client, f"good {number}", f"{web.url}/good.jpg?{number}", callback_url=receiver.url)
        with world.worker():
            results_of(client, 6)
            wait_until(lambda: len(receiver.taken) == 5, timeout=TIMEOUT_S + 5)
            wait_until(lambda: client.xlen(BURIED) == 1, timeout=3 * TIMEOUT_S + 5)
    letter = client.xrange(BURIED)[0][1]
    assert (letter["job_id"], letter["attempts"]) == ("dripped", "2")
    assert f"did not answer within {TIMEOUT_S:g} s" in letter["reason"]
    assert world.to_strangers() == []


def test_one_slow_host_does_not_take_the_places_of_the_others(client, world, web):
    web.pages["/slow"] = SLOW["nothing comes"]
    port = web.server.server_port
    world.settings |= {"FETCH_ALLOW": f"localhost:{port},{web.place}", "WORKER_IN_FLIGHT": "8", "FETCH_PER_HOST": "3",
                       "FETCH_ATTEMPTS": "1", "WORKER_RETRIES": "0"}  # fmt: skip
    for number in range(32):
        push(client, f"slow {number}", f"http://localhost:{port}/slow")
    for number in range(10):
        push(client, f"good {number}", f"{web.url}/good.jpg?{number}")

    def answered(kind: str) -> int:
        return sum(result["job_id"].startswith(kind) for result in results(client))

    with world.worker():
        wait_until(lambda: answered("good") == 10, timeout=60)
        before = answered("slow")
        found = results_of(client, 42, timeout=120)
    assert before < 16
    assert {job for job, result in found.items() if result["status"] == "done"} == {f"good {n}" for n in range(10)}
