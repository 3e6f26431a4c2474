"""Counts the frames that a webrtcbin receives, decoded by GStreamer's own elements."""

import asyncio
from typing import Any

from clients import Client
from deadline import deadline
from gstreamer import Gst

DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec ! fakesink name=frames sync=false signal-handoffs=true",
    "OPUS": "rtpopusdepay ! opusdec ! fakesink name=frames sync=false signal-handoffs=true",
}


class Reception:
    """What one client receives in all its sessions, by codec."""

    def __init__(self, client: Client) -> None:
        """Follow the sessions of a client that has not connected yet."""
        self._client = client
        self._counts = dict.fromkeys(DECODERS, 0)
        self._something_new = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        client.role.on(
            "new_session", lambda session: session.pc.connect("pad-added", self._on_pad_added)
        )

    async def has(self, codec: str, frames: int) -> None:
        """Return once so many frames of this codec were decoded."""
        async with deadline(lambda: f"only {self._counts} decoded; {self._client.record()}"):
            while self._counts[codec] < frames:
                self._something_new.clear()
                await self._something_new.wait()

    # Called on GStreamer's threads.
    def _on_pad_added(self, webrtcbin: Any, pad: Any) -> None:
        if pad.get_property("direction") != Gst.PadDirection.SRC:
            return
        codec = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        decoder = Gst.parse_bin_from_description(DECODERS[codec], ghost_unlinked_pads=True)
        decoder.get_by_name("frames").connect("handoff", self._on_frame, codec)
        webrtcbin.get_parent().add(decoder)
        decoder.sync_state_with_parent()
        assert pad.link(decoder.get_static_pad("sink")) == Gst.PadLinkReturn.OK

    def _on_frame(self, _sink: Any, _buffer: Any, _pad: Any, codec: str) -> None:
        self._loop.call_soon_threadsafe(self._count, codec)

    def _count(self, codec: str) -> None:
        self._counts[codec] += 1
        self._something_new.set()
