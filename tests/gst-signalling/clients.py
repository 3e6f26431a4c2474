"""The library's objects as the tests drive them, each with a record of all that it emitted."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self

from gst_signalling import GstSignallingConsumer, GstSignallingListener, GstSignallingProducer
from gst_signalling.gst_signalling import GstSignalling
from websockets.exceptions import ConnectionClosed

from deadline import deadline
from gstreamer import Gst
from loopback import confine_to_loopback
from signalling_server import SignallingServer

SIGNALLING_EVENTS = (
    "Welcome",
    "PeerStatusChanged",
    "StartSession",
    "SessionStarted",
    "EndSession",
    "Peer",
    "List",
    "Error",
    "error",
)
ROLE_EVENTS = ("new_session", "error")

Heard = tuple[str, tuple[Any, ...]]


def anything(*_args: object) -> bool:
    """Match every emission of an event."""
    return True


class Client:
    """One connection of gst-signalling to the server."""

    def __init__(self, name: str, signalling: Any, role: Any = None) -> None:
        """Listen to a library object that has not connected yet."""
        self.name = name
        self.signalling = signalling
        self.role = role
        self.heard: list[Heard] = []
        self._unread: list[Heard] = []
        self._something_new = asyncio.Event()
        for event in SIGNALLING_EVENTS:
            signalling.on(event, self._recorder(event))
        if role is not None:
            # The first handler of all, because the next ones may start to negotiate.
            role.on("new_session", lambda session: confine_to_loopback(session.pc))
            for event in ROLE_EVENTS:
                role.on(event, self._recorder(event))

    @property
    def peer_id(self) -> str:
        """Return the id that the server gave to this connection."""
        peer_id: str = self.signalling.peer_id
        return peer_id

    @property
    def errors(self) -> list[str]:
        """Return the details of every Error that the server sent so far."""
        # The library's own "error" is left out: it raises KeyError when an offer that was under way
        # arrives just after the session was closed, which is no fault of the server.
        return [args[0] for event, args in self.heard if event == "Error"]

    async def connect(self) -> Self:
        """Connect, and return once the server has dealt with all that the library sent."""
        async with deadline(lambda: f"{self.name} did not get connected; {self.record()}"):
            await (self.signalling if self.role is None else self.role).connect()
        await self.list_producers()
        return self

    async def list_producers(self) -> dict[str, Any]:
        """Ask for the producers; all that was sent before on this connection is then done."""
        await self.signalling.send_list()
        (producers,) = await self.hears("List")
        assert isinstance(producers, dict)
        return producers

    async def hears(self, event: str, matches: Callable[..., bool] = anything) -> tuple[Any, ...]:
        """Return the arguments of the first such event that was not returned before."""
        async with deadline(lambda: f"{self.name} heard no such {event}; {self.record()}"):
            while True:
                for position, (heard, args) in enumerate(self._unread):
                    if heard == event and matches(*args):
                        del self._unread[position]
                        return args
                self._something_new.clear()
                await self._something_new.wait()

    def record(self) -> str:
        """Describe all that was heard, for failure messages."""
        lines = [f"  {event}{args!r}" for event, args in self.heard]
        return "\n".join([f"it heard {len(lines)} events:", *lines])

    async def break_connection(self) -> None:
        """Drop the connection without a closing handshake, as a crash would."""
        self.signalling.ws.transport.abort()
        with contextlib.suppress(ConnectionClosed):
            await self.signalling.handler_task
        self.signalling.handler_task = None

    async def close(self) -> None:
        """Stop the media and leave the server."""
        if self.role is not None:
            for session in self.role.sessions.values():
                session.pc.set_state(Gst.State.NULL)
            self.role.sessions.clear()
        if self.signalling.ws is not None:
            await (self.signalling if self.role is None else self.role).close()

    def _recorder(self, event: str) -> Callable[..., None]:
        def record(*args: object) -> None:
            self.heard.append((event, args))
            self._unread.append((event, args))
            self._something_new.set()

        return record


class Clients:
    """Makes clients of one server and closes them all in the end."""

    def __init__(self, server: SignallingServer) -> None:
        """Make clients of this server."""
        self._address = {"host": server.host, "port": server.port}
        self._made: list[Client] = []

    def plain(self, name: str = "plain client") -> Client:
        """Return a connection that plays no role."""
        return self._add(Client(name, GstSignalling(**self._address)))

    def producer(self, name: str) -> Client:
        """Return a producer that registers under this name when it connects."""
        role = GstSignallingProducer(**self._address, name=name)
        return self._add(Client(f"producer {name}", role.signalling, role))

    def listener(self, name: str = "Wall display") -> Client:
        """Return a listener that registers under this name when it connects."""
        role = GstSignallingListener(**self._address, name=name)
        return self._add(Client(f"listener {name}", role.signalling, role))

    def consumer(self, producer_peer_id: str, name: str = "consumer") -> Client:
        """Return a consumer that calls this producer when it connects."""
        role = GstSignallingConsumer(**self._address, producer_peer_id=producer_peer_id)
        return self._add(Client(name, role.signalling, role))

    async def close(self) -> None:
        """Close every client, the last one made first."""
        for client in reversed(self._made):
            async with deadline(lambda: "a client did not close"):
                await client.close()

    def _add(self, client: Client) -> Client:
        self._made.append(client)
        return client
