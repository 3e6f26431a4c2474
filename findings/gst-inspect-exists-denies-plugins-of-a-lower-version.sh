#!/usr/bin/env bash
# gst-inspect-1.0 --exists says no to an installed element whose plugin has a version number below GStreamer's own.
#
# Versions: gstreamer1.0-tools 1.22.0-2+deb12u1, gstreamer1.0-nice 0.1.21-1 (Debian 12).
# Behaviour: without --atleast-version, --exists asks for at least the version of gst-inspect itself. libnice counts its
#   plugin by its own numbers, so nicesrc does not "exist", although gst-inspect-1.0 describes it and pipelines use it.
# Seen:
#   gst-inspect-1.0 nicesrc: 0
#   gst-inspect-1.0 --exists nicesrc: 1
#   gst-inspect-1.0 --exists --atleast-version=0.1 nicesrc: 0
#   gst-inspect-1.0 --exists videoconvert: 0
# Why a good guess is wrong: the help has --exists check for the element, and names --atleast-version as a further check.
#   A script that looks for what it needs works with all of GStreamer's own plugins, and reports those of other
#   projects missing, those in Rust with versions like 0.15 among them. To be sure, describe the element and throw the text away.
# Needs Debian's gstreamer1.0-tools, gstreamer1.0-nice, gstreamer1.0-plugins-base.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 60 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GST_REGISTRY=$folder/registry.bin
unset GST_PLUGIN_PATH

dpkg-query -W gstreamer1.0-tools gstreamer1.0-nice gstreamer1.0-plugins-base || exit 2
for element in nicesrc videoconvert; do
  gst-inspect-1.0 "$element" >/dev/null || { echo "the element $element is missing"; exit 2; }
done

changed=0
expect() {
  local expected=$1 status=0
  shift
  gst-inspect-1.0 "$@" >/dev/null || status=$?
  echo "gst-inspect-1.0 $*: $status"
  [ "$status" = "$expected" ] || changed=1
}
expect 0 nicesrc
expect 1 --exists nicesrc
expect 0 --exists --atleast-version=0.1 nicesrc
expect 0 --exists videoconvert
[ $changed = 0 ] || { echo "STALE: --exists goes by something else now"; exit 1; }
