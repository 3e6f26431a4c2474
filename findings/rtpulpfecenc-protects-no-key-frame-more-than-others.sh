#!/usr/bin/env bash
# rtpulpfecenc with percentage-important=100 sends not one FEC packet: no payloader marks packets as important.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-good 1.22.0-5+deb12u4, gstreamer1.0-plugins-ugly 1.22.0-2+deb12u2
#   (Debian 12).
# Behaviour: what is important is a buffer with the flag NON_DROPPABLE. The payloaders of VP8, VP9 and H.264 never set it,
#   key frames included, so only `percentage` counts, which protects all packets alike.
# Seen (60 frames, a key frame every 10):
#   VP8, percentage=0 percentage-important=100: 0 FEC packets
#   H.264, percentage=0 percentage-important=100: 0 FEC packets
#   VP8, percentage=100: FEC packets
#   H.264, percentage=100: FEC packets
# Why a good guess is wrong: the property is described as the overhead of important packets, which are key frames to
#   everybody, and it is accepted without a word.
# Needs Debian's gstreamer1.0-plugins-good, gstreamer1.0-plugins-ugly, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly python3-gi || exit 2
for element in rtpulpfecenc rtpvp8pay rtph264pay x264enc; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
MEDIA = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=10 ! rtpvp8pay pt=96",
    "H.264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay pt=96",
}
FEC = 122


def fec_packets(media, settings):
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! {MEDIA[media]} "
        f"! rtpulpfecenc pt={FEC} {settings} ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    out = pipeline.get_by_name("out")
    count = 0
    while sample := out.emit("try-pull-sample", 10 * Gst.SECOND):
        buffer = sample.get_buffer()
        # The payload type is in the second byte (RFC 3550, section 5.1).
        count += buffer.extract_dup(1, 1)[0] & 0x7F == FEC
    pipeline.set_state(Gst.State.NULL)
    print(f"{media}, {settings}: {count} FEC packets")
    return count


important = [fec_packets(media, "percentage=0 percentage-important=100") for media in MEDIA]
alike = [fec_packets(media, "percentage=100") for media in MEDIA]
sys.exit(0 if not any(important) and all(alike) else 1)
PYTHON
