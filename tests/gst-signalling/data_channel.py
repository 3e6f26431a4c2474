"""The ends of a WebRTC data channel, awaited from asyncio while GStreamer's threads drive them."""

import asyncio
from typing import Any

from clients import Client
from deadline import deadline
from gstreamer import GstWebRTC


class ChannelEnd:
    """One end of one data channel."""

    def __init__(self, session_id: str, channel: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Attach to a channel; may be called on any thread."""
        self.session_id = session_id
        self._channel = channel
        self._loop = loop
        self._opened = asyncio.Event()
        self._received: asyncio.Queue[str] = asyncio.Queue()
        channel.connect("on-open", self._on_open)
        channel.connect("on-message-string", self._on_message)
        # A channel that the other side made may have opened before anybody could listen.
        if channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self._on_open(channel)

    @property
    def label(self) -> str:
        """Return the name that the producer gave to the channel."""
        label: str = self._channel.get_property("label")
        return label

    async def send(self, text: str) -> None:
        """Send one text message as soon as the channel is open."""
        async with deadline(lambda: f"channel {self.label} of {self.session_id} did not open"):
            await self._opened.wait()
        self._channel.emit("send-string", text)

    async def receive(self) -> str:
        """Return the next text message."""
        async with deadline(lambda: f"no message on {self.label} of {self.session_id}"):
            return await self._received.get()

    def has_unread(self) -> bool:
        """Tell whether a message arrived that was not received yet."""
        return not self._received.empty()

    def _on_open(self, _channel: Any) -> None:
        self._loop.call_soon_threadsafe(self._opened.set)

    def _on_message(self, _channel: Any, text: str) -> None:
        self._loop.call_soon_threadsafe(self._received.put_nowait, text)


class ChannelEnds:
    """The channel ends of one client, one for each of its sessions."""

    def __init__(self, client: Client) -> None:
        """Follow the sessions of a client that has not connected yet."""
        self._client = client
        self._ends: dict[str, ChannelEnd] = {}
        self._something_new = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def of(self, session_id: str) -> ChannelEnd:
        """Return the end that belongs to this session."""
        async with deadline(
            lambda: f"no channel for {session_id}; {self._client.name}: {self._client.record()}"
        ):
            while session_id not in self._ends:
                self._something_new.clear()
                await self._something_new.wait()
        return self._ends[session_id]

    def add(self, session_id: str, channel: Any) -> None:
        """Keep a channel; may be called on any thread."""
        # The signals are connected on the calling thread, so that no message slips through.
        end = ChannelEnd(session_id, channel, self._loop)
        self._loop.call_soon_threadsafe(self._keep, end)

    def _keep(self, end: ChannelEnd) -> None:
        self._ends[end.session_id] = end
        self._something_new.set()


def opening_channels(producer: Client, label: str) -> ChannelEnds:
    """Make the producer open a data channel in each of its sessions."""
    ends = ChannelEnds(producer)

    def open_channel(session: Any) -> None:
        ends.add(session.session_id, session.pc.emit("create-data-channel", label, None))

    producer.role.on("new_session", open_channel)
    return ends


def accepting_channels(consumer: Client) -> ChannelEnds:
    """Make the consumer accept the data channels that it is offered."""
    ends = ChannelEnds(consumer)

    def await_channel(session: Any) -> None:
        session.pc.connect(
            "on-data-channel", lambda _webrtcbin, channel: ends.add(session.session_id, channel)
        )

    consumer.role.on("new_session", await_channel)
    return ends
