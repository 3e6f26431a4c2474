"""The GStreamer bindings, in the version that gst-signalling asks for."""

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")

from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402 - the versions must be chosen first

__all__ = ["Gst", "GstSdp", "GstWebRTC"]
