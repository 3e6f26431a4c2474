"""An RTSP server with one stream of H.264 at /stream: rtsp_server.py PORT [KIND] [user=NAME] [password=WORD] [certificate=FILE key=FILE].

KIND is one of
  sliced  pictures are in four slices, and GStreamer 1.22 repeats the parameter sets before each of a key frame
  stalls  with sound; each time somebody asks for it, the picture stops after three seconds
  data    with a track that is neither picture nor sound
  sound   with sound, and a picture of another size
  h265    the picture is H.265

It says when somebody asks for the stream, and runs until its standard input closes.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

# Main profile: browsers and webrtcsrc take it, and whether it has B-frames has to be looked at.
PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1"
    " ! x264enc tune=zerolatency key-int-max=10 bitrate=500"
    " ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 )"
)

SLICED = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=480,framerate=30/1"
    " ! x264enc tune=zerolatency threads=4 speed-preset=ultrafast key-int-max=30 bitrate=500"
    " ! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 name=pay0 pt=96 )"
)

STALLING = PIPELINE.replace(" ! rtph264pay", " ! valve name=valve ! rtph264pay config-interval=1").replace(
    " )", " audiotestsrc is-live=true ! opusenc ! rtpopuspay name=pay1 pt=97 )"
)

WITH_DATA = PIPELINE.replace(
    " )",
    " audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! rtpgstpay name=pay1 pt=98 )",
)

WITH_SOUND = PIPELINE.replace("width=320,height=240", "width=480,height=270").replace(
    " )", " audiotestsrc is-live=true ! opusenc ! rtpopuspay name=pay1 pt=97 )"
)

H265 = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1"
    " ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=500"
    " ! video/x-h265,profile=main ! rtph265pay name=pay0 pt=96 )"
)

LAUNCHES = {
    "sliced": SLICED,
    "stalls": STALLING,
    "data": WITH_DATA,
    "sound": WITH_SOUND,
    "h265": H265,
}
STALL_AFTER_MS = 3_000

words = sys.argv[2:]
options = dict(word.split("=", 1) for word in words if "=" in word)
kinds = [word for word in words if "=" not in word]

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(LAUNCHES[kinds[0]] if kinds else PIPELINE)
factory.set_shared(True)


def on_media(_factory, media):
    print('{"event": "asked"}', flush=True)
    valve = media.get_element().get_by_name("valve")
    if valve:
        GLib.timeout_add(STALL_AFTER_MS, lambda: valve.set_property("drop", True))


factory.connect("media-configure", on_media)
if "user" in options or "certificate" in options:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if "user" in options:
        basic = GstRtspServer.RTSPAuth.make_basic(options["user"], options["password"])
        auth.add_basic(basic, token)
    else:
        auth.set_default_token(token)
    if "certificate" in options:
        certificate = Gio.TlsCertificate.new_from_files(options["certificate"], options["key"])
        auth.set_tls_certificate(certificate)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("viewer")
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(permissions)
    server.set_auth(auth)
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
