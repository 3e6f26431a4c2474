"""The one time limit that every wait in these tests has."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# Generous, because it only matters when something is broken: a busy machine must not fail a test.
DEADLINE_SECONDS = 15.0


@asynccontextmanager
async def deadline(report: Callable[[], str]) -> AsyncIterator[None]:
    """Fail with what `report` says if the block takes too long."""
    limit = asyncio.timeout(DEADLINE_SECONDS)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        message = f"after {DEADLINE_SECONDS:g} s: {report()}"
        raise AssertionError(message) from error
