#!/usr/bin/env bash
# jpegenc takes limited-range YUV and writes its samples unscaled, so that the picture is washed out in every viewer.
#
# Versions: GStreamer 1.22.0, gstreamer1.0-plugins-good 1.22.0-5+deb12u4 (Debian 12).
# Behaviour: JFIF knows full range alone. jpegenc accepts I420 of bt601 (limited), as decoders of H.264 make it, without a
#   word or a conversion; black is decoded as RGB 16, white as RGB 235. From RGB the same element writes the right picture.
# Seen:
#   I420 bt601: black 16, white 235
#   I420 bt601 -> RGB: black 0, white 253
# Why a good guess is wrong: the range is in the caps and the format has but one, and `... ! avdec_h264 ! jpegenc` is what
#   everybody writes for a snapshot; nothing fails, and grey looks nearly right.
# Needs Debian's gstreamer1.0-plugins-good, gstreamer1.0-plugins-base, gir1.2-gst-plugins-base-1.0, python3-gi.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-plugins-good gstreamer1.0-plugins-base gir1.2-gst-plugins-base-1.0 python3-gi || exit 2
gst-inspect-1.0 jpegenc >/dev/null || { echo "the element jpegenc is missing"; exit 2; }

/usr/bin/python3 - <<'PYTHON'
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
WIDTH = HEIGHT = 16


def decoded_grey(elements, luma):
    """First RGB sample of a grey limited-range frame, encoded behind the elements and decoded again."""
    pipeline = Gst.parse_launch(
        f"appsrc name=in format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=1/1,"
        f"interlace-mode=progressive,colorimetry=bt601 ! {elements}jpegenc quality=100 ! jpegdec ! videoconvert ! video/x-raw,format=RGB ! appsink name=out"
    )
    pipeline.set_state(Gst.State.PLAYING)
    pixels = WIDTH * HEIGHT
    frame = bytes([luma]) * pixels + bytes([128]) * (pixels // 2)
    pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(frame))
    sample = pipeline.get_by_name("out").emit("try-pull-sample", 10 * Gst.SECOND)
    pipeline.set_state(Gst.State.NULL)
    if sample is None:
        sys.exit("no frame came out")
    return sample.get_buffer().extract_dup(0, 1)[0]


changed = False
for elements, expected in (("", (16, 235)), ("videoconvert ! video/x-raw,format=RGB ! ", (0, 255))):
    black, white = (decoded_grey(elements, luma) for luma in (16, 235))
    print(f"I420 bt601{' -> RGB' if elements else ''}: black {black}, white {white}")
    changed |= any(abs(seen - wanted) > 2 for seen, wanted in zip((black, white), expected))
sys.exit("STALE: jpegenc does something else now" if changed else 0)
PYTHON
