#!/usr/bin/env bash
# videoconvert from full to limited range renames the samples and does not scale them, if the matrix is the same.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-base 1.22.0-3+deb12u7 (Debian 12).
# Behaviour: with full-range BT.601 on its sink pad (1:4:0:0, what jpegdec makes) and bt601 behind it, videoconvert puts
#   limited range into the caps and passes every sample on as it was. The same from full-range BT.709 to bt709.
#   It scales once something else makes it work: another matrix, or a step by RGB.
# Seen:
#   1:4:0:0 -> bt601:             0 -> 0, 255 -> 255
#   1:3:0:0 -> bt709:             0 -> 0, 255 -> 255
#   1:4:0:0 -> RGB -> bt601:      0 -> 16, 255 -> 235
#   1:4:0:0 -> bt709:             0 -> 18, 255 -> 237
# Why a good guess is wrong: both ranges are in the caps, and converting between them is this element's job; the caps
#   that come out are the ones asked for, and no warning is logged. A picture encoded from it looks right but for
#   crushed black and white, since the receiver stretches 16..235 to 0..255.
# Needs Debian's gstreamer1.0-plugins-base, gir1.2-gst-plugins-base-1.0, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-base gir1.2-gst-plugins-base-1.0 python3-gi || exit 2
gst-inspect-1.0 videoconvert >/dev/null || { echo "the element videoconvert is missing"; exit 2; }

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
WIDTH = HEIGHT = 16


def luma_behind(elements, source, grey):
    """First luma sample and caps of a grey frame that went through the elements."""
    pipeline = Gst.parse_launch(
        f"appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=1/1,"
        f"interlace-mode=progressive,colorimetry={source} ! {elements} ! appsink name=out"
    )
    pipeline.set_state(Gst.State.PLAYING)
    pixels = WIDTH * HEIGHT
    frame = bytes([grey]) * pixels + bytes([128]) * (pixels // 2)
    pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(frame))
    sample = pipeline.get_by_name("out").emit("try-pull-sample", 10 * Gst.SECOND)
    pipeline.set_state(Gst.State.NULL)
    if sample is None:
        sys.exit("no frame came out")
    return sample.get_buffer().extract_dup(0, 1)[0], sample.get_caps().to_string()


def to(colorimetry):
    return f"videoconvert ! video/x-raw,format=I420,colorimetry={colorimetry}"


BY_RGB = "videoconvert ! video/x-raw,format=RGB ! "
changed = False
for source, elements, target, scaled in (
    ("1:4:0:0", to("bt601"), "bt601", False),
    ("1:3:0:0", to("bt709"), "bt709", False),
    ("1:4:0:0", BY_RGB + to("bt601"), "bt601", True),
    ("1:4:0:0", to("bt709"), "bt709", True),
):
    (black, caps), (white, _) = (luma_behind(elements, source, grey) for grey in (0, 255))
    way = f"{source} -> {'RGB -> ' if elements.startswith(BY_RGB) else ''}{target}:"
    print(f"{way:<30}0 -> {black}, 255 -> {white}")
    is_scaled = 12 <= black <= 20 and 231 <= white <= 239
    is_untouched = (black, white) == (0, 255)
    changed |= f"colorimetry=(string){target}" not in caps or not (is_scaled if scaled else is_untouched)
sys.exit("STALE: videoconvert does something else now" if changed else 0)
PYTHON
