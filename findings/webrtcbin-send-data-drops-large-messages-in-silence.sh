#!/usr/bin/env bash
# A message of more than 65,536 bytes given to a data channel of webrtcbin by `send-data` or `send-string` vanishes.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-bad 1.22.0-4+deb12u8, libnice 0.1.21 (Debian 12).
# Behaviour: webrtcbin writes no a=max-message-size, so RFC 8841's 65,536 bytes hold even between two of its own. What is
#   larger is not sent; the action signals return nothing, `on-error` is not emitted, and the channel stays open
#   and delivers what follows. The method send_data_full, there since 1.22, returns an error.
# Seen (two webrtcbins):
#   send-data 65536, 65537, 1000 bytes: received 65536, 1000
#   send-string 65537, 3 letters: received 3
#   on-error: 0, on-close: 0, state: open
#   send_data_full 65537 bytes: Requested to send data that is too large
# Why a good guess is wrong: the channel is reliable, and has a signal for errors. A browser's send() throws in this
#   case. Files and snapshots of some size go missing while every small message in a test arrives.
# Needs Debian's gstreamer1.0-plugins-bad, gstreamer1.0-nice, gir1.2-gst-plugins-bad-1.0, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-bad gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 python3-gi || exit 2
for element in webrtcbin nicesrc dtlsenc sctpenc; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

/usr/bin/python3 - <<'PYTHON'
import sys
import threading

import gi

for namespace in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(namespace, "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

Gst.init(None)
LIMIT = 65536
happened = threading.Condition()
received, events = [], []


def note(where, what):
    with happened:
        where.append(what)
        happened.notify_all()


def wait_for(condition, what):
    with happened:
        if not happened.wait_for(condition, timeout=20):
            sys.exit(f"{what} within 20 s")


def on_loopback(pipeline):
    webrtcbin = Gst.ElementFactory.make("webrtcbin")
    pipeline.add(webrtcbin)
    webrtcbin.set_property("bundle-policy", "max-bundle")
    ice = webrtcbin.get_property("ice-agent")
    ice._ref()  # 1.22 hands it out floating.
    ice.get_property("agent").set_property("upnp", False)  # No multicast.
    ice.emit("add-local-ip-address", "127.0.0.1")
    return webrtcbin


def request(webrtcbin, signal, argument):
    promise = Gst.Promise.new()
    webrtcbin.emit(signal, argument, promise)
    if promise.wait() != Gst.PromiseResult.REPLIED:
        sys.exit(f"{signal} was not answered")
    return promise.get_reply()


def describe(author, reader, kind):
    reply = request(author, f"create-{kind}", None)
    description = reply.get_value(kind)
    text = description.sdp.as_text()
    for webrtcbin, side in ((author, "local"), (reader, "remote")):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        sdp_type = getattr(GstWebRTC.WebRTCSDPType, kind.upper())
        request(webrtcbin, f"set-{side}-description", GstWebRTC.WebRTCSessionDescription.new(sdp_type, sdp))


def listen(_webrtcbin, channel):
    channel.connect("on-message-data", lambda _, data: note(received, data.get_size()))
    channel.connect("on-message-string", lambda _, text: note(received, len(text)))


pipeline = Gst.Pipeline()
caller, callee = on_loopback(pipeline), on_loopback(pipeline)
caller.connect("on-ice-candidate", lambda _, line, candidate: callee.emit("add-ice-candidate", line, candidate))
callee.connect("on-ice-candidate", lambda _, line, candidate: caller.emit("add-ice-candidate", line, candidate))
callee.connect("on-data-channel", listen)
pipeline.set_state(Gst.State.READY)
channel = caller.emit("create-data-channel", "messages", None)
for signal in ("on-open", "on-error", "on-close"):
    channel.connect(signal, lambda *_, signal=signal: note(events, signal))
pipeline.set_state(Gst.State.PLAYING)
describe(caller, callee, "offer")
describe(callee, caller, "answer")
wait_for(lambda: "on-open" in events, "the channel did not open")

for size in (LIMIT, LIMIT + 1, 1000):
    channel.emit("send-data", GLib.Bytes.new(bytes(size)))
wait_for(lambda: 1000 in received, "the last binary message did not arrive")
print(f"send-data {LIMIT}, {LIMIT + 1}, 1000 bytes: received {', '.join(map(str, received))}")
expected = received == [LIMIT, 1000]

received.clear()
for text in ("x" * (LIMIT + 1), "end"):
    channel.emit("send-string", text)
wait_for(lambda: 3 in received, "the last text did not arrive")
print(f"send-string {LIMIT + 1}, 3 letters: received {', '.join(map(str, received))}")
expected &= received == [3]

state = channel.get_property("ready-state")
print(f"on-error: {events.count('on-error')}, on-close: {events.count('on-close')}, state: {state.value_nick}")
expected &= events == ["on-open"] and state == GstWebRTC.WebRTCDataChannelState.OPEN

try:
    channel.send_data_full(GLib.Bytes.new(bytes(LIMIT + 1)))
except GLib.Error as error:
    print(f"send_data_full {LIMIT + 1} bytes: {error.message}")
else:
    print(f"send_data_full {LIMIT + 1} bytes: taken")
    expected = False
pipeline.set_state(Gst.State.NULL)
sys.exit(0 if expected else "STALE: large messages meet another fate now")
PYTHON
