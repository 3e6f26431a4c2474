"""An RTSP server with one stream of H.264 at /stream: rtsp_server.py PORT [sliced].

Sliced, pictures are in four slices, and GStreamer 1.22 repeats the parameter sets before each of a key frame.

It runs until its standard input closes.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

# Main profile: browsers and webrtcsrc take it, and whether it has B-frames has to be looked at.
PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1"
    " ! x264enc tune=zerolatency key-int-max=30 bitrate=500"
    " ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 )"
)

SLICED = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1"
    " ! x264enc tune=zerolatency threads=4 speed-preset=ultrafast key-int-max=30 bitrate=500"
    " ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 name=pay0 pt=96 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(SLICED if "sliced" in sys.argv[2:] else PIPELINE)
factory.set_shared(True)
server.get_mount_points().add_factory("/stream", factory)
if server.attach(None) == 0:
    sys.exit(f"cannot listen on port {sys.argv[1]}")
print('{"event": "serving"}', flush=True)

loop = GLib.MainLoop()


def end_with_input():
    sys.stdin.read()
    GLib.idle_add(loop.quit)


threading.Thread(target=end_with_input, daemon=True).start()
loop.run()
