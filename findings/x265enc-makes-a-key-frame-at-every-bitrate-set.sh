#!/usr/bin/env bash
# x265enc makes a key frame whenever its bitrate is set while it runs, even to the value that it has.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-bad 1.22.0-4+deb12u8, x265 3.5, beside it gstreamer1.0-plugins-ugly
#   1.22.0-2+deb12u2 for x264enc (Debian 12).
# Behaviour: the frame after each write to `bitrate` is a key frame, however small the change.
# Seen (bitrate written before frames 40, 80 and 120; the last write repeats the value of the one before):
#   x265enc: key frames 0, 40, 80, 120
#   x264enc: key frames 0
# Why a good guess is wrong: the property may be changed while playing, and x264enc, vp8enc and vp9enc carry on without
#   a key frame. Congestion control that adjusts the rate several times a second makes a stream of key frames here,
#   each many times the size of another frame, just when the network asked for less.
# Needs Debian's gstreamer1.0-plugins-bad, gstreamer1.0-plugins-ugly, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly 'libx265-*' python3-gi || exit 2
for element in x265enc x264enc; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
FRAMES = 160
KBITS_BEFORE_FRAME = {40: 700, 80: 690, 120: 690}


def key_frames(encoder):
    pipeline = Gst.parse_launch(
        f"videotestsrc pattern=ball num-buffers={FRAMES} ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! "
        f"{encoder} name=encoder speed-preset=ultrafast tune=zerolatency key-int-max=1000 bitrate=500 ! "
        "appsink name=out sync=false"
    )
    element = pipeline.get_by_name("encoder")
    counted = 0

    def before_frame(_pad, _info):
        nonlocal counted
        if counted in KBITS_BEFORE_FRAME:
            element.set_property("bitrate", KBITS_BEFORE_FRAME[counted])
        counted += 1
        return Gst.PadProbeReturn.OK

    element.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, before_frame)
    pipeline.set_state(Gst.State.PLAYING)
    out = pipeline.get_by_name("out")
    keys, frame = [], 0
    while sample := out.emit("try-pull-sample", 20 * Gst.SECOND):
        if not sample.get_buffer().has_flags(Gst.BufferFlags.DELTA_UNIT):
            keys.append(frame)
        frame += 1
    pipeline.set_state(Gst.State.NULL)
    if frame != FRAMES:
        sys.exit(f"{encoder} made {frame} frames of {FRAMES}")
    print(f"{encoder}: key frames {', '.join(map(str, keys))}")
    return keys


expected = key_frames("x265enc") == [0, *KBITS_BEFORE_FRAME] and key_frames("x264enc") == [0]
sys.exit(0 if expected else "STALE: key frames come at other times now")
PYTHON
