#!/usr/bin/env bash
# rtph264pay with config-interval=-1 writes parameter sets between the slices of one picture, and behind it h264parse
# makes several access units of that picture, all but one without a time stamp.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-good 1.22.0-5+deb12u4, -bad 1.22.0-4+deb12u8, -ugly 1.22.0-2+deb12u2
#   (Debian 12). 1.26.2 writes them once a picture.
# Behaviour: SPS and PPS go in front of every IDR slice, not of every IDR picture. An SPS begins a new access unit, so
#   h264parse, asked for byte-stream, is right to cut there. config-interval=1 does it once a picture. If the
#   depayloader is asked for avc with alignment=au, it puts the picture together by RTP time and all is well.
# Seen (60 pictures of 4 slices, IDR every 30):
#   without RTP:                            60 access units, without PTS: none
#   config-interval=-1, byte-stream:        66 access units, without PTS: 1, 2, 3, 34, 35, 36
#   config-interval=1, byte-stream:         60 access units, without PTS: none
#   config-interval=-1, avc by picture:     60 access units, without PTS: none
# Why a good guess is wrong: the property's description speaks of every IDR frame, and a picture of one slice comes
#   through well. But x264enc with tune=zerolatency makes a slice for each of its threads, so whether a picture is cut
#   depends on how many processors the sender has. What a viewer sees then is the top of each key frame.
# Needs Debian's gstreamer1.0-plugins-good, -bad, -ugly, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly python3-gi || exit 2
for element in x264enc h264parse rtph264pay rtph264depay; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
PICTURES = 60


def access_units(name, elements):
    """Number of access units, and which of them have no PTS."""
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers={PICTURES} ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
        f"x264enc tune=zerolatency speed-preset=ultrafast threads=4 key-int-max=30 ! {elements} h264parse ! "
        "video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    out = pipeline.get_by_name("out")
    count, without_pts = 0, []
    while sample := out.emit("try-pull-sample", 10 * Gst.SECOND):
        if sample.get_buffer().pts == Gst.CLOCK_TIME_NONE:
            without_pts.append(count)
        count += 1
    pipeline.set_state(Gst.State.NULL)
    print(f"{name + ':':<40}{count} access units, without PTS: {', '.join(map(str, without_pts)) or 'none'}")
    return count, len(without_pts)


WHOLE = (PICTURES, 0)
by_picture = "video/x-h264,stream-format=avc,alignment=au ! "
pay = "rtph264pay config-interval={} ! rtph264depay ! "
results = [
    access_units("without RTP", ""),
    access_units("config-interval=-1, byte-stream", pay.format(-1)),
    access_units("config-interval=1, byte-stream", pay.format(1)),
    access_units("config-interval=-1, avc by picture", pay.format(-1) + by_picture),
]
# Two IDR pictures of four slices, three of which become access units of their own.
expected = [WHOLE, (PICTURES + 6, 6), WHOLE, WHOLE]
sys.exit(0 if results == expected else "STALE: pictures are cut in another way now, or not at all")
PYTHON
