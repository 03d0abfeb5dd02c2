"""Looking names up: a silent name server holds up nobody else, and nothing waits for it at the end."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from tests.worker.processes import ROOT, environment
from worker.fetching.resolver import Resolver


class NameServer:
    """Answers each host with one address; those of silent.test only once it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.endswith("silent.test"):
            self.let_go.wait(20)
        if host == "none.test":
            raise OSError("no such name")
        return ["93.184.216.34"]


@pytest.fixture
def server():
    found = NameServer()
    yield found
    found.let_go.set()


async def test_a_silent_name_server_holds_up_only_its_own_domain(server):
    resolve = Resolver(server)
    waiting = [asyncio.create_task(resolve(f"{n}.silent.test", 80)) for n in range(200)]
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(resolve("good.test", 80), 2) == ["93.184.216.34"]
    assert len([host for host in server.asked if "silent" in host]) == 4
    server.let_go.set()
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert len(server.asked) == 201


async def test_hosts_that_were_resolved_before_keep_a_share(server):
    resolve = Resolver(server)
    await resolve("known.test", 80)
    for n in range(60):
        server_of = f"a.{n}silent.test"
        asyncio.ensure_future(resolve(server_of, 80)).add_done_callback(
            lambda done: done.cancelled() or done.exception()
        )
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(resolve("known.test", 80), 2) == ["93.184.216.34"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolve("new.test", 80), 0.2)
    server.let_go.set()
    assert await asyncio.wait_for(resolve("new.test", 80), 5) == ["93.184.216.34"]


async def test_addresses_are_asked_of_nobody(server):
    resolve = Resolver(server)
    assert await resolve("127.1", 80) == ["127.0.0.1"]
    assert await resolve("::1", 80) == ["::1"]
    assert server.asked == []


async def test_a_name_without_an_address_is_an_error_and_its_place_is_free_again(server):
    resolve = Resolver(server)
    for _ in range(10):
        with pytest.raises(OSError, match="no such name"):
            await resolve("none.test", 80)


def test_a_process_ends_while_a_name_is_looked_up():
    script = (
        "import asyncio, time\n"
        "from worker.fetching.resolver import Resolver\n"
        "async def main():\n"
        "    resolve = Resolver(lambda host, port: time.sleep(30) or [])\n"
        "    try:\n"
        "        await asyncio.wait_for(resolve('a.test', 80), 0.1)\n"
        "    except TimeoutError:\n"
        "        pass\n"
        "asyncio.run(main())\n"
    )
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, timeout=25, check=True)
    assert time.monotonic() - started < 20
