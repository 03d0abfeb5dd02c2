"""Ending tasks: a cancellation may be swallowed, so it is repeated until it works."""

import asyncio
from typing import Any

# Long enough that what a task does on its way out is not disturbed.
_AGAIN_S = 0.1


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel the tasks and return when all have ended; what they raise stays with them.

    Once is not always enough: on Python 3.11 asyncio.wait_for, by which redis-py sends, forgets a cancellation that
    comes in the moment of success.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
