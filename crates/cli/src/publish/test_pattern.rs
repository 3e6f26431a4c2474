//! The test picture and its tone, as GStreamer's descriptions of pipelines.

use gstreamer as gst;

/// A short, soft tone of 880 Hz every second: one notices when it stops, and can bear it while it does not.
pub(super) const SOUND: &str = "audiotestsrc is-live=true wave=ticks freq=880 sine-periods-per-tick=90 \
     apply-tick-ramp=true volume=0.1 ! capsfilter caps=audio/x-raw,rate=48000,channels=2";

/// A ball on a dark ground: it moves all the time, and is little work for an encoder.
const BALL: &str = "videotestsrc is-live=true pattern=ball foreground-color=0xffffc857 \
     background-color=0xff1f4e79 \
     ! capsfilter caps=video/x-raw,format=I420,width=1280,height=720,framerate=30/1";

/// The time of day, by which one sees how late the picture is, and the time since the start.
const CLOCK: &str = " ! clockoverlay time-format=\"%H:%M:%S\" halignment=center valignment=center \
     shaded-background=true font-desc=\"Sans 36\" \
     ! timeoverlay halignment=center valignment=bottom shaded-background=true font-desc=\"Sans 16\"";

/// Whether GStreamer can write into pictures.
pub(super) fn has_clock() -> bool {
    ["clockoverlay", "timeoverlay"]
        .iter()
        .all(|name| gst::ElementFactory::find(name).is_some())
}

/// The picture, with a clock or without.
pub(super) fn picture(has_clock: bool) -> String {
    let clock = if has_clock { CLOCK } else { "" };
    format!("{BALL}{clock}")
}
