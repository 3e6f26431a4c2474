"""Runs the signalling server under test as a child process."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

HOST = "127.0.0.1"
START_SECONDS = 15.0
STOP_SECONDS = 5.0
LOG_TAIL_CHARACTERS = 4000


@dataclass(frozen=True)
class SignallingServer:
    """Where the running server listens."""

    host: str
    port: int


@contextmanager
def running_server(log: Path) -> Iterator[SignallingServer]:
    """Start a fresh server, and end it however the test went."""
    port = free_port()
    command = [*server_command(), "--host", HOST, "--port", str(port)]
    with log.open("wb") as output:
        # setpriv lets the kernel end the server even if this process is killed.
        child = subprocess.Popen(  # noqa: S603 - the command is the developer's own
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_accepting(child, port, command, log)
        yield SignallingServer(HOST, port)
        if child.poll() is not None:
            pytest.fail(f"the server ended by itself with status {child.returncode}", pytrace=False)
    finally:
        stop(child)
        # pytest shows this beside the failure, and drops it when the test passed.
        sys.stderr.write(f"output of {' '.join(command)}:\n{tail(log)}\n")


def server_command() -> list[str]:
    """Return the command line that `cargo xtask test` hands over."""
    command = os.environ.get("WIGWAG_SERVE", "").split()
    if not command:
        pytest.fail("WIGWAG_SERVE is not set: run `cargo xtask test`", pytrace=False)
    return command


def free_port() -> int:
    """Pick a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_accepting(
    child: subprocess.Popen[bytes], port: int, command: list[str], log: Path
) -> None:
    """Return once the port accepts connections, or fail with the server's own words."""
    give_up = time.monotonic() + START_SECONDS
    while True:
        if child.poll() is not None:
            problem = f"ended with status {child.returncode} before it accepted a connection"
            break
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            if time.monotonic() > give_up:
                problem = f"accepted no connection on port {port} within {START_SECONDS:g} s"
                break
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"`{' '.join(command)}` {problem}; its output:\n{tail(log)}", pytrace=False)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End the server, by force if it does not go when asked."""
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def tail(log: Path) -> str:
    """Return the end of what the server wrote."""
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
