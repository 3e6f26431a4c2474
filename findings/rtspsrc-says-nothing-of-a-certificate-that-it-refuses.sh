#!/usr/bin/env bash
# rtspsrc that refuses a camera's certificate reports what it reports of any failed connection, with no word of TLS; only the
# signal accept-certificate shows it.
#
# Versions: GStreamer 1.22.0, gst-rtsp-server 1.22.0 (Debian 12).
# Behaviour: an rtsps server shows a certificate that is signed by itself. The error message on the bus is of the domain and code of
#   a port where nobody listens, and neither its text nor its debug text has "certificate" or "TLS" in it. The
#   signal is emitted once with the certificate and what is wrong with it; if its handler says yes, media comes.
# Seen:
#   nobody listens: gst-resource-error-quark 7, names the certificate: no, asked: no, media: no
#   unknown certificate: gst-resource-error-quark 7, names the certificate: no, asked: yes, media: no
#   unknown certificate, accepted: no error, asked: yes, media: yes
# Why a good guess is wrong: souphttpsrc names the certificate in its error, and the GLib error beneath has a domain of
#   its own for this. A program that shows the message of the bus says that the camera is away.
# Needs Debian's python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-good, gstreamer1.0-plugins-ugly (x264enc), glib-networking
# and openssl.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 120 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

dpkg-query -W python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly glib-networking openssl || exit 2
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=camera -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null || exit 2

/usr/bin/python3 - "$folder" <<'PYTHON'
import socket
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402,F401

Gst.init(None)
folder = sys.argv[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port = free_port()
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(port))
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch("( videotestsrc is-live=true ! x264enc tune=zerolatency ! rtph264pay name=pay0 )")
auth = GstRtspServer.RTSPAuth()
token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", "viewer")
auth.set_default_token(token)
permissions = GstRtspServer.RTSPPermissions()
permissions.add_role("viewer")
for permission in ("media.factory.access", "media.factory.construct"):
    permissions.add_permission_for_role("viewer", permission, True)
factory.set_permissions(permissions)
auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(f"{folder}/certificate.pem", f"{folder}/key.pem"))
server.set_auth(auth)
server.get_mount_points().add_factory("/x", factory)
server.attach(None)
context = GLib.MainContext.default()


def play(to, accepts):
    """What the bus says, whether the signal was emitted, and whether media came."""
    pipeline = Gst.parse_launch(f"rtspsrc name=s location=rtsps://127.0.0.1:{to}/x ! fakesink name=f signal-handoffs=true sync=false")
    asked, media = [], []
    pipeline.get_by_name("s").connect("accept-certificate", lambda *_: asked.append(1) or accepts)
    pipeline.get_by_name("f").connect("handoff", lambda *_: media.append(1))
    pipeline.set_state(Gst.State.PLAYING)
    bus, found = pipeline.get_bus(), None
    for _ in range(400):
        context.iteration(False)
        message = bus.timed_pop_filtered(50 * Gst.MSECOND, Gst.MessageType.ERROR)
        if message:
            error, debug = message.parse_error()
            text = f"{error.message} {debug}".lower().replace("rtsps", "")
            # The address ends with what the scheme begins with.
            names = "certificate" in text or "tls" in text
            found = f"{error.domain} {error.code}, names the certificate: {'yes' if names else 'no'}"
            break
        if media:
            break
    pipeline.set_state(Gst.State.NULL)
    return f"{found or 'no error'}, asked: {'yes' if asked else 'no'}, media: {'yes' if media else 'no'}"


EXPECTED = {
    "nobody listens": "gst-resource-error-quark 7, names the certificate: no, asked: no, media: no",
    "unknown certificate": "gst-resource-error-quark 7, names the certificate: no, asked: yes, media: no",
    "unknown certificate, accepted": "no error, asked: yes, media: yes",
}
seen = {
    "nobody listens": play(free_port(), False),
    "unknown certificate": play(port, False),
    "unknown certificate, accepted": play(port, True),
}
for what, said in seen.items():
    print(f"{what}: {said}")
sys.exit(seen != EXPECTED)
PYTHON
