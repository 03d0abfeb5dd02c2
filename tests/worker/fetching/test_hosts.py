"""Places for fetches: a slow host takes its share of them, a quick one as many as there are."""

import asyncio
import contextlib
import time

import pytest

from worker.errors import HostBusyError
from worker.fetching.hosts import Hosts


async def fetch(hosts: Hosts, name: str, seconds: float) -> str:
    try:
        async with hosts.place(name):
            await asyncio.sleep(seconds)
    except HostBusyError as error:
        return "put aside" if (error.retry_after_s or 0) >= 5 else "put aside for too short"
    return "fetched"


async def outcomes(hosts: Hosts, name: str, seconds: float, count: int) -> list[str]:
    return await asyncio.gather(*(fetch(hosts, name, seconds) for _ in range(count)))


async def test_a_slow_host_gets_its_places_and_the_rest_is_put_aside_in_time():
    hosts = Hosts(4, quick_s=0.2)
    started = time.monotonic()
    slow = asyncio.create_task(outcomes(hosts, "a.slow.test", 1, 12))
    await asyncio.sleep(0.5)
    assert await outcomes(hosts, "quick.test", 0, 30) == ["fetched"] * 30
    found = await slow
    assert (found.count("fetched"), found.count("put aside")) == (4, 8)
    assert time.monotonic() - started < 3
    # Known by now: nobody waits to see.
    again = asyncio.create_task(outcomes(hosts, "b.slow.test", 0.5, 12))
    await asyncio.sleep(0.1)
    assert await fetch(hosts, "c.slow.test", 0) == "put aside"
    assert (await again).count("fetched") == 4


async def test_a_host_that_nobody_knows_yet_has_a_moment_to_show_that_it_is_quick():
    hosts = Hosts(4, quick_s=0.5)
    assert await outcomes(hosts, "quick.test", 0.05, 100) == ["fetched"] * 100


async def test_quick_refusals_are_quick():
    hosts = Hosts(2, quick_s=0.5)

    async def refused() -> None:
        with contextlib.suppress(ValueError):
            async with hosts.place("quick.test"):
                await asyncio.sleep(0.01)
                raise ValueError

    await asyncio.gather(*(refused() for _ in range(20)))
    assert await outcomes(hosts, "quick.test", 0.05, 20) == ["fetched"] * 20


async def test_a_quick_host_that_turns_slow_keeps_no_more_than_its_places():
    hosts = Hosts(3, quick_s=0.2)
    await outcomes(hosts, "turning.test", 0, 10)
    first = asyncio.create_task(outcomes(hosts, "turning.test", 1, 5))
    await asyncio.sleep(0.4)
    assert await fetch(hosts, "turning.test", 0) == "put aside"
    assert await first == ["fetched"] * 5


async def test_one_slow_fetch_of_a_quick_host_puts_nobody_aside():
    hosts = Hosts(2, quick_s=0.2)
    await outcomes(hosts, "quick.test", 0, 10)
    await fetch(hosts, "quick.test", 0.4)
    assert await outcomes(hosts, "quick.test", 0.05, 20) == ["fetched"] * 20


@pytest.mark.parametrize(("first", "second"), [("1.2.3.4", "9.9.3.4"), ("[::1]", "[::2]")])
async def test_addresses_are_hosts_of_their_own(first, second):
    hosts = Hosts(1, quick_s=0.1)
    slow = asyncio.create_task(fetch(hosts, first, 0.5))
    await asyncio.sleep(0.2)
    assert await fetch(hosts, second, 0) == "fetched"
    await slow


async def test_without_a_limit_nobody_is_put_aside():
    assert await outcomes(Hosts(0, quick_s=0.05), "slow.test", 0.3, 50) == ["fetched"] * 50
