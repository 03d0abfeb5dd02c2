"""A line to Redis that carries every command there and loses replies on the way back."""

from http.server import BaseHTTPRequestHandler

import pytest

from tests.chaos.accounts import assert_exactly_once, push_jobs
from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.supervisor import Supervisor
from tests.worker import web as pages
from tests.worker.processes import JOBS, push
from tests.worker.receiver import Receiver, running_receiver
from tests.worker.redis_server import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

CALLBACKS = f"{JOBS}:callbacks"


@pytest.fixture
def receiver():
    with running_receiver() as running:
        yield running


def away_at_first(image: bytes, times: int):
    """A page that fails so often, then gives the image."""
    left = [times]

    def page(handler: BaseHTTPRequestHandler) -> None:
        left[0] -= 1
        pages.answer(handler, image, 503 if left[0] >= 0 else 200)

    return page


def push_all_kinds(client, web: pages.Web, receiver: Receiver) -> tuple[set[str], set[str]]:
    """Good jobs with and without callback, some that are put aside first; and some that can only be buried."""
    jobs = push_jobs(client, web, range(1000))
    for number in range(40):
        web.pages[f"/away{number}.jpg"] = away_at_first(pages.photo(number), 2)
        push(client, f"away {number}", f"{web.url}/away{number}.jpg")
        push(client, f"called {number}", f"{web.url}/1.jpg?called{number}", callback_url=receiver.url)
    good = jobs | {f"{kind} {number}" for kind in ("away", "called") for number in range(40)}
    return good, {f"entry {push(client, f'too large {number}', 'x' * 300_000)}" for number in range(5)}


@pytest.mark.parametrize(
    ("every", "only", "least"),
    [
        pytest.param(50, frozenset(), {"XREADGROUP", "EVALSHA"}, id="every 50th reply"),
        pytest.param(
            17,
            frozenset({"XREADGROUP", "XPENDING", "EVALSHA"}),
            {"XREADGROUP", "EVALSHA", "XPENDING"},
            id="every 17th of what moves jobs",
        ),
    ],
)
def test_lost_replies_lose_and_double_nothing(client, server, web, receiver, settings, every, only, least):
    more = {
        "FETCH_ALLOW": web.place,
        "CALLBACK_ALLOW": receiver.place,
        "WORKER_IN_FLIGHT": "8",
        "WORKER_RETRIES": "3",
        "WORKER_RETRY_DELAY_S": "0.3",
        "FETCH_ATTEMPTS": "1",
        "CALLBACK_RETRY_S": "0.1",
    }
    with CuttingProxy(server, every, only) as proxy:
        good, too_large = push_all_kinds(client, web, receiver)
        with Supervisor(settings | more | {"REDIS_URL": proxy.url}, ["one", "two"]) as supervisor:
            found = assert_exactly_once(client, good | too_large)
            wait_until(lambda: client.xlen(CALLBACKS) == 0, timeout=60)
            supervisor.stop_all()
    assert sum(proxy.cut.values()) >= 20, proxy.cut
    assert least <= proxy.cut.keys(), proxy.cut
    assert set(found.dead_letters) == too_large
    assert found.statuses == {"done": len(good)}
    assert set(receiver.taken) == {f"called {number}" for number in range(40)}
