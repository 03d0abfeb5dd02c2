"""Who may be posted to: silent places one at a time, new ones in a share of their own."""

import asyncio

import pytest

from worker.callbacks.circuit_breaker import CircuitBreakers
from worker.errors import CallbackFailedError


async def use(places: CircuitBreakers, place: str, seconds: float = 0.0) -> None:
    async with places.guarded(place):
        await asyncio.sleep(seconds)


async def test_new_places_leave_room_for_those_that_answered():
    places = CircuitBreakers(newcomers=2)
    await use(places, "known")
    silent = [asyncio.create_task(use(places, f"new {n}", 30)) for n in range(2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(use(places, "known"), 0.5)
    with pytest.raises(CallbackFailedError) as caught:
        await use(places, "another")
    assert (caught.value.tried, caught.value.soon, caught.value.permanent) == (False, True, False)
    for one in silent:
        one.cancel()
    await asyncio.gather(*silent, return_exceptions=True)
    await use(places, "another")


async def test_a_place_that_failed_to_answer_is_not_known_but_one_that_refused_is_not_silent():
    places = CircuitBreakers(newcomers=8)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with places.guarded("a"):
                raise TimeoutError
        with pytest.raises(OSError, match="refused"):
            async with places.guarded("b"):
                raise OSError("refused")
    trying = asyncio.create_task(use(places, "a", 30))
    await asyncio.sleep(0)
    with pytest.raises(CallbackFailedError, match="did not answer"):
        await use(places, "a")
    await use(places, "b")
    trying.cancel()
    await asyncio.gather(trying, return_exceptions=True)
