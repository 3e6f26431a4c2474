"""Keeps the WebRTC side of the tests on the loopback interface."""

from typing import Any

LOOPBACK = "127.0.0.1"


def confine_to_loopback(webrtcbin: Any) -> None:
    """Switch off every way in which a webrtcbin that has not negotiated yet would leave."""
    for server in ("stun-server", "turn-server"):
        address = webrtcbin.get_property(server)
        assert address is None, f"webrtcbin would contact the {server} {address}"
    ice = webrtcbin.get_property("ice-agent")
    # GStreamer 1.22 hands out a floating object: Python takes the only reference over, and this
    # one makes up for it, or the agent would be freed under webrtcbin.
    ice._ref()  # noqa: SLF001 - PyGObject has no public name for it
    # libnice would otherwise look for a router on the local network by multicast.
    ice.get_property("agent").set_property("upnp", False)  # noqa: FBT003 - GObject's signature
    # A fixed address also lets the tests run where there is no other network interface.
    assert ice.emit("add-local-ip-address", LOOPBACK)


def is_confined(candidate: str) -> bool:
    """Tell whether an ICE candidate names the loopback interface, or no address at all."""
    # RFC 8839: foundation, component, transport, priority, address, port, ...
    fields = candidate.split()
    return not fields or fields[4] == LOOPBACK
