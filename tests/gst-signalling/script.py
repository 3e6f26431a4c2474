"""Runs the library's blocking functions the way a script without an event loop does."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from deadline import DEADLINE_SECONDS

T = TypeVar("T")


async def call_from_script(function: Callable[..., T], *args: object) -> T:
    """Call a blocking function on a thread that has an event loop for it to borrow."""

    def script() -> T:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        # A thread cannot be cancelled, so the deadline has to stand inside.
        loop.call_later(DEADLINE_SECONDS, loop.stop)
        try:
            return function(*args)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return await asyncio.to_thread(script)
