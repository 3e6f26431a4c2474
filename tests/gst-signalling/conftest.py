"""What every test gets: a fresh server and clients for it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clients import Clients
from signalling_server import SignallingServer, running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SignallingServer]:
    """Run a server of which only this test knows."""
    with running_server(tmp_path / "server.log") as server:
        yield server


@pytest.fixture
async def clients(server: SignallingServer) -> AsyncIterator[Clients]:
    """Make clients of the server, and close them before it stops."""
    clients = Clients(server)
    try:
        yield clients
    finally:
        await clients.close()
