"""A client of the text protocol, written from its description: a webrtcbin for each partner."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from deadline import deadline
from gstreamer import Gst, GstSdp, GstWebRTC
from loopback import confine_to_loopback, is_confined

VP8 = "application/x-rtp,media=video,encoding-name=VP8,payload=96"
SOURCE = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1"
    " ! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=15-bit"
    f" ! {VP8} ! queue"
)
DECODER = "rtpvp8depay ! vp8dec ! fakesink name=frames sync=false signal-handoffs=true"

Send = Callable[[str], Awaitable[None]]

Gst.init(None)


class Call:
    """A webrtcbin that sends a test picture to one partner and decodes what the partner sends."""

    def __init__(self, send: Send) -> None:
        """Prepare for a partner to whom `send` brings messages."""
        self.frames = 0
        self.offered = False
        self.outside: list[str] = []
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._something_new = asyncio.Event()
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._pipeline = Gst.Pipeline.new()
        self._webrtcbin = Gst.ElementFactory.make("webrtcbin")
        self._webrtcbin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self._webrtcbin)
        self._webrtcbin.connect("on-ice-candidate", self._on_candidate)
        self._webrtcbin.connect("pad-added", self._on_pad_added)
        confine_to_loopback(self._webrtcbin)
        source = Gst.parse_bin_from_description(SOURCE, ghost_unlinked_pads=True)
        self._pipeline.add(source)
        assert source.link(self._webrtcbin)
        self._writer = asyncio.create_task(self._write())

    def offer(self) -> None:
        """Call the partner."""
        self.offered = True
        self._webrtcbin.connect("on-negotiation-needed", self._on_negotiation_needed)
        self._pipeline.set_state(Gst.State.PLAYING)

    def hear(self, text: str) -> None:
        """Take what the partner said."""
        said = json.loads(text)
        if "ice" in said:
            ice = said["ice"]
            self._webrtcbin.emit("add-ice-candidate", ice["sdpMLineIndex"], ice["candidate"])
            return
        kind = said["sdp"]["type"]
        _, sdp = GstSdp.SDPMessage.new_from_text(said["sdp"]["sdp"])
        sdp_type = getattr(GstWebRTC.WebRTCSDPType, kind.upper())
        if kind == "offer":
            self._pipeline.set_state(Gst.State.PLAYING)
        description = GstWebRTC.WebRTCSessionDescription.new(sdp_type, sdp)
        then = self._create("answer") if kind == "offer" else None
        self._webrtcbin.emit("set-remote-description", description, then)

    async def has(self, frames: int) -> None:
        """Return once so many pictures of the partner were decoded."""
        async with deadline(lambda: f"only {self.frames} pictures"):
            while self.frames < frames:
                self._something_new.clear()
                await self._something_new.wait()

    async def close(self) -> None:
        """Stop sending and receiving."""
        self._writer.cancel()
        await asyncio.to_thread(self._pipeline.set_state, Gst.State.NULL)

    async def _write(self) -> None:
        while True:
            await self._send(await self._outgoing.get())

    def _say(self, message: dict[str, Any]) -> None:
        self._loop.call_soon_threadsafe(self._outgoing.put_nowait, json.dumps(message))

    # All below is called on GStreamer's threads.
    def _on_negotiation_needed(self, _webrtcbin: Any) -> None:
        self._webrtcbin.emit("create-offer", None, self._described("offer"))

    def _create(self, kind: str) -> Any:
        def on_remote_set(_promise: Any) -> None:
            self._webrtcbin.emit(f"create-{kind}", None, self._described(kind))

        return Gst.Promise.new_with_change_func(on_remote_set)

    def _described(self, kind: str) -> Any:
        def on_created(promise: Any) -> None:
            # The description is a part of the reply, which therefore must outlive it.
            reply = promise.get_reply()
            description = reply.get_value(kind)
            text = description.sdp.as_text()
            self._webrtcbin.emit("set-local-description", description, None)
            self._say({"sdp": {"type": kind, "sdp": text}})

        return Gst.Promise.new_with_change_func(on_created)

    def _on_candidate(self, _webrtcbin: Any, line: int, candidate: str) -> None:
        if not is_confined(candidate):
            self.outside.append(candidate)
        self._say({"ice": {"candidate": candidate, "sdpMLineIndex": line}})

    def _on_pad_added(self, _webrtcbin: Any, pad: Any) -> None:
        if pad.get_property("direction") != Gst.PadDirection.SRC:
            return
        decoder = Gst.parse_bin_from_description(DECODER, ghost_unlinked_pads=True)
        decoder.get_by_name("frames").connect("handoff", self._on_frame)
        self._pipeline.add(decoder)
        decoder.sync_state_with_parent()
        assert pad.link(decoder.get_static_pad("sink")) == Gst.PadLinkReturn.OK

    def _on_frame(self, _sink: Any, _buffer: Any, _pad: Any) -> None:
        self._loop.call_soon_threadsafe(self._count)

    def _count(self) -> None:
        self.frames += 1
        self._something_new.set()


class TextPeer:
    """A registered client, in a session or in a room."""

    def __init__(self, peer_id: str, socket: ClientConnection) -> None:
        """Take over a connection that is registered."""
        self.peer_id = peer_id
        self.calls: dict[str, Call] = {}
        self.left: list[str] = []
        self.ended: tuple[int, str] | None = None
        self._socket = socket
        self._something_new = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def register(cls, url: str, peer_id: str) -> "TextPeer":
        """Connect and say hello."""
        peer = cls(peer_id, await connect(url))
        assert await peer.ask(f"HELLO {peer_id}") == "HELLO"
        return peer

    async def ask(self, command: str) -> str:
        """Send a command and return what comes next."""
        async with deadline(lambda: f"{self.peer_id} got no answer to {command}"):
            await self._socket.send(command)
            answer = await self._socket.recv()
        assert isinstance(answer, str)
        return answer

    async def call(self, callee: str, *, ask_for_offer: bool = False) -> None:
        """Start a session with another peer and offer to it, or ask it to offer."""
        assert await self.ask(f"SESSION {callee}") == "SESSION_OK"
        call = self._call("partner", self._socket.send)
        if ask_for_offer:
            await self._socket.send("OFFER_REQUEST")
        else:
            call.offer()
        self._reader = asyncio.create_task(self._read(self._hear_partner))

    def await_call(self) -> None:
        """Answer whoever starts a session."""
        self._reader = asyncio.create_task(self._read(self._hear_partner))

    async def enter(self, room: str) -> list[str]:
        """Enter a room, and offer to everybody who is there."""
        answer = await self.ask(f"ROOM {room}")
        word, _, members = answer.partition(" ")
        assert word == "ROOM_OK"
        for member in members.split():
            self._member(member).offer()
        self._reader = asyncio.create_task(self._read(self._hear_room))
        return members.split()

    async def call_with(self, partner: str) -> Call:
        """Return the call with this partner as soon as there is one."""
        async with deadline(lambda: f"{self.peer_id} has calls with {list(self.calls)} only"):
            while partner not in self.calls:
                await self._news()
        return self.calls[partner]

    async def told_that_left(self, member: str) -> None:
        """Return once the server said that this member left the room."""
        async with deadline(lambda: f"{self.peer_id} only heard that {self.left} left"):
            while member not in self.left:
                await self._news()

    async def end(self) -> tuple[int, str]:
        """Return with which code and text the server closed the connection."""
        async with deadline(lambda: f"{self.peer_id} is not closed"):
            while self.ended is None:
                await self._news()
        return self.ended

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()
        for call in self.calls.values():
            await call.close()
        if self._reader is not None:
            await self._reader
        assert [call.outside for call in self.calls.values() if call.outside] == []

    async def _news(self) -> None:
        self._something_new.clear()
        await self._something_new.wait()

    def _call(self, partner: str, send: Send) -> Call:
        call = self.calls[partner] = Call(send)
        return call

    def _member(self, member: str) -> Call:
        return self._call(member, lambda text: self._socket.send(f"ROOM_PEER_MSG {member} {text}"))

    async def _read(self, hear: Callable[[str], None]) -> None:
        async for text in self._socket:
            assert isinstance(text, str)
            assert not text.startswith("ERROR"), text
            hear(text)
            self._something_new.set()
        self.ended = (self._socket.close_code or 0, self._socket.close_reason or "")
        self._something_new.set()

    def _hear_partner(self, text: str) -> None:
        call = self.calls.get("partner") or self._call("partner", self._socket.send)
        if text == "OFFER_REQUEST":
            call.offer()
        else:
            call.hear(text)

    def _hear_room(self, text: str) -> None:
        word, member, *said = text.split(" ", 2)
        if word == "ROOM_PEER_LEFT":
            self.left.append(member)
        elif word == "ROOM_PEER_MSG":
            call = self.calls.get(member) or self._member(member)
            call.hear(said[0])
        else:
            # Whoever enters offers.
            assert word == "ROOM_PEER_JOINED"
