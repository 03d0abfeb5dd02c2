"""Ending tasks: a cancellation that meets a timeout of a library may be swallowed, so it is repeated."""

import asyncio
from typing import Any

# Long enough that what a task does on its way out is not disturbed.
_AGAIN_S = 0.5


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel the tasks and return when all have ended; what they raise stays with them."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
