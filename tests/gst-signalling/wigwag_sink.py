"""Runs a webrtcsink of ours in gst-launch-1.0."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gst_signalling import utils

from deadline import deadline
from signalling_server import SignallingServer, stop, tail

NAME = "garden-camera"
VIDEO = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1"
    " ! queue ! sink.video_0"
)
AUDIO = "audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! queue ! sink.audio_0"


@contextmanager
def running_sink(server: SignallingServer, log: Path) -> Iterator[None]:
    """Start a sink at this server that sends VP8 and Opus, and end it however the test went."""
    folder = os.environ.get("WIGWAG_PLUGIN")
    if not folder:
        pytest.fail("WIGWAG_PLUGIN is not set: run `cargo xtask test`", pytrace=False)
    environment = os.environ | {
        "GST_PLUGIN_PATH": folder,
        # A registry of its own neither disturbs the user's, nor trusts what that remembers.
        "GST_REGISTRY": str(Path(folder) / "registry.bin"),
        "GST_DEBUG": "webrtcsink:4,webrtc-signaller:4",
        "GST_DEBUG_NO_COLOR": "1",
        "WIGWAG_ADDRESSES": "127.0.0.1",
    }
    command = [
        # setpriv lets the kernel end the sink even if this process is killed.
        *["/usr/bin/setpriv", "--pdeathsig", "KILL", "gst-launch-1.0", "webrtcsink", "name=sink"],
        f"signaller::uri=ws://{server.host}:{server.port}",
        f"meta=meta,name={NAME}",
        # The default names a public server, which a test must not contact.
        'stun-server=""',
        "video-caps=video/x-vp8",
        *f"{VIDEO} {AUDIO}".split(),
    ]
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - the command is written above
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield
        if child.poll() is not None:
            pytest.fail(f"the sink ended by itself with {child.returncode}", pytrace=False)
    finally:
        stop(child)
        # pytest shows this beside the failure, and drops it when the test passed.
        sys.stderr.write(f"output of the sink:\n{tail(log)}\n")


async def listed_sink(server: SignallingServer) -> str:
    """Return the sink's id as soon as the server lists it."""
    async with deadline(lambda: "the server does not list the sink"):
        while True:
            for peer_id, meta in (await utils.get_list(server.host, server.port)).items():
                if meta.get("name") == NAME:
                    found: str = peer_id
                    return found
            await asyncio.sleep(0.2)
