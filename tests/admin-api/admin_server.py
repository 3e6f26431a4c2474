"""Runs a server with the admin API, with somebody in it."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

# Generous, because it only matters when something is broken: a busy machine must not fail a test.
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class AdminServer:
    """Where the running server listens."""

    signalling: str
    text: str
    admin: str


@contextmanager
def running_server(token_file: Path | None = None) -> Iterator[AdminServer]:
    """Start a fresh server, and end it however the test went."""
    command = os.environ.get("WIGWAG_SERVE", "").split()
    if not command:
        pytest.fail("WIGWAG_SERVE is not set: run `cargo xtask test`", pytrace=False)
    command += ["--host", "127.0.0.1", "--port", "0", "--text-port", "0", "--admin-port", "0"]
    environment = dict(os.environ, WIGWAG_LOG="error")
    if token_file:
        environment["WIGWAG_ADMIN_TOKEN_FILE"] = str(token_file)
    # setpriv lets the kernel end the server even if this process is killed.
    with subprocess.Popen(  # noqa: S603 - the command is the developer's own
        ["/usr/bin/setpriv", "--pdeathsig", "KILL", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as child:
        assert child.stdout
        try:
            lines = said_in_time(child, child.stdout, 3)
            yield AdminServer(*(line.split()[-1] for line in lines))
            if child.poll() is not None:
                pytest.fail(f"the server ended by itself with status {child.returncode}")
        finally:
            child.terminate()
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def said_in_time(child: subprocess.Popen[str], output: IO[str], count: int) -> list[str]:
    """Return the first lines that a child says; it ends if it does not say them in time."""
    timer = threading.Timer(START_SECONDS, child.kill)
    timer.start()
    try:
        lines = [output.readline() for _ in range(count)]
    finally:
        timer.cancel()
    if not all(lines):
        pytest.fail(f"within {START_SECONDS:g} s the server said only {lines}", pytrace=False)
    return lines


@contextmanager
def somebody(server: AdminServer) -> Iterator[list[str]]:
    """Connect peers of all kinds, some of which talk; yield the ids of producers."""
    with ExitStack() as stack:
        producers = [stack.enter_context(connect(server.signalling)) for _ in range(3)]
        ids = [welcomed(producer) for producer in producers]
        for number, producer in enumerate(producers):
            meta = {"name": f"camera {number}", "nested": [number, {"deep": None}]}
            say(producer, type="setPeerStatus", roles=["producer"], meta=meta)
        for called in ids:
            viewer = stack.enter_context(connect(server.signalling))
            welcomed(viewer)
            say(viewer, type="setPeerStatus", roles=["listener"])
            wait_for(viewer, "peerStatusChanged")
            # A producer's status may come after the call.
            while True:
                say(viewer, type="startSession", peerId=called)
                if wait_for(viewer, "sessionStarted", "error") == "sessionStarted":
                    break
        members = [hello(stack, server, f"peer-{number}") for number in range(5)]
        members[0].send("SESSION peer-1")
        assert members[0].recv() == "SESSION_OK"
        for member, room in zip(members[2:], ["yard", "yard", "ä/ö"], strict=True):
            member.send(f"ROOM {room}")
            assert str(member.recv()).startswith("ROOM_OK")
        yield ids


def hello(stack: ExitStack, server: AdminServer, name: str) -> Connection:
    """Register a peer of the text protocol."""
    peer = stack.enter_context(connect(server.text))
    peer.send(f"HELLO {name}")
    assert peer.recv() == "HELLO"
    return peer


def say(peer: Connection, **message: object) -> None:
    """Send a message of the JSON protocol."""
    peer.send(json.dumps(message))


def welcomed(peer: Connection) -> str:
    """Wait for the welcome, and return the id that it gives."""
    message = json.loads(peer.recv())
    assert message["type"] == "welcome"
    return str(message["peerId"])


def wait_for(peer: Connection, *types: str) -> str:
    """Pass over all messages but those of some types, and return the type that came."""
    while True:
        kind = json.loads(peer.recv())["type"]
        if kind in types:
            return str(kind)
