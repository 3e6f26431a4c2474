#!/usr/bin/env bash
# webrtcbin's answer agrees to transport-cc feedback and leaves out the header extension that the feedback counts by.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-bad 1.22.0-4+deb12u8, libnice 0.1.21 (Debian 12).
# Behaviour: offered VP8 with `a=rtcp-fb:96 transport-cc` and an `a=extmap` for transport-wide sequence numbers, a
#   webrtcbin without codec preferences repeats the rtcp-fb line and drops the extmap line.
# Seen in the answer:
#   a=rtcp-fb:96 nack pli
#   a=rtcp-fb:96 transport-cc
#   extmap lines: 0
# Why a good guess is wrong: the two belong together, feedback packets name transport-wide sequence numbers, and the
#   answer is taken for agreement. A sender that goes by rtcp-fb waits for feedback that never comes, or takes its
#   absence for a dead path; one has to go by the extmap line.
# Needs Debian's gstreamer1.0-plugins-bad, gstreamer1.0-nice, gir1.2-gst-plugins-bad-1.0, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-bad gstreamer1.0-nice gir1.2-gst-plugins-bad-1.0 python3-gi || exit 2
for element in webrtcbin nicesrc rtpvp8depay; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

for namespace in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(namespace, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC

Gst.init(None)
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
OFFER = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 127.0.0.1",
        "a=rtcp-mux",
        "a=ice-ufrag:frag",
        f"a=ice-pwd:{'p' * 24}",
        f"a=fingerprint:sha-256 {':'.join(['0A'] * 32)}",
        "a=setup:actpass",
        "a=mid:0",
        "a=sendonly",
        f"a=extmap:3 {TRANSPORT_CC}",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 transport-cc",
    )
)

pipeline = Gst.Pipeline()
webrtcbin = Gst.ElementFactory.make("webrtcbin")
pipeline.add(webrtcbin)
webrtcbin.set_property("bundle-policy", "max-bundle")
ice = webrtcbin.get_property("ice-agent")
ice._ref()  # 1.22 hands it out floating.
ice.get_property("agent").set_property("upnp", False)  # No multicast.
ice.emit("add-local-ip-address", "127.0.0.1")
pipeline.set_state(Gst.State.PLAYING)


def request(signal, argument):
    promise = Gst.Promise.new()
    webrtcbin.emit(signal, argument, promise)
    if promise.wait() != Gst.PromiseResult.REPLIED:
        sys.exit(f"{signal} was not answered")
    return promise.get_reply()


_, offer = GstSdp.SDPMessage.new_from_text(OFFER)
request("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, offer))
reply = request("create-answer", None)
answer = reply.get_value("answer")
lines = answer.sdp.as_text().splitlines()
pipeline.set_state(Gst.State.NULL)

feedback = [line for line in lines if line.startswith("a=rtcp-fb:")]
extensions = [line for line in lines if line.startswith("a=extmap:")]
print(*feedback, f"extmap lines: {len(extensions)}", sep="\n")
expected = "a=rtcp-fb:96 transport-cc" in feedback and not any(TRANSPORT_CC in line for line in extensions)
sys.exit(0 if expected else "STALE: the answer agrees to both or to neither now")
PYTHON
