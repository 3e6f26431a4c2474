//! What pads and caps say of a track.

use gst::prelude::*;
use gstreamer as gst;

/// The media type of what a pad gives, as far as is known.
pub(super) fn media_type(pad: &gst::Pad) -> Option<String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.structure(0)
        .map(|structure| structure.name().to_string())
}

/// The name of what comes by RTP and is neither picture nor sound, as of an ONVIF camera's events; none for those.
pub(super) fn data_of_rtp(pad: &gst::Pad) -> Option<String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let caps = caps.structure(0)?;
    let media: &str = caps.get("media").ok()?;
    if caps.name() != "application/x-rtp" || matches!(media, "video" | "audio") {
        return None;
    }
    let encoding: &str = caps
        .get("encoding-name")
        .unwrap_or("of an unknown encoding");
    Some(match encoding {
        "VND.ONVIF.METADATA" => format!("ONVIF metadata ({encoding})"),
        _ => format!("{media} data ({encoding})"),
    })
}

/// Whether what comes from a pad comes at its own pace.
pub(super) fn is_live(pad: &gst::Pad) -> bool {
    let mut latency = gst::query::Latency::new();
    pad.query(&mut latency) && latency.result().0
}

/// What `videoflip` has to do with a picture whose tags say that it was taken by a turned camera.
pub(super) fn rotation(pad: &gst::Pad) -> Option<&'static str> {
    let tags = (0..).map_while(|place| pad.sticky_event::<gst::event::Tag>(place));
    tags.filter_map(|event| direction(event.tag())).last()
}

fn direction(tags: &gst::TagListRef) -> Option<&'static str> {
    let orientation = tags.get::<gst::tags::ImageOrientation>()?;
    Some(match orientation.get() {
        "rotate-90" => "90r",
        "rotate-180" => "180",
        "rotate-270" => "90l",
        "flip-rotate-0" => "horiz",
        "flip-rotate-90" => "ur-ll",
        "flip-rotate-180" => "vert",
        "flip-rotate-270" => "ul-lr",
        _ => return None,
    })
}

/// Whether nothing has to be decoded.
pub(super) fn is_raw(media_type: &str) -> bool {
    matches!(media_type, "video/x-raw" | "audio/x-raw")
}

/// As people call it.
pub(super) fn name_of(caps: &gst::StructureRef) -> String {
    let name = match caps.name().as_str() {
        "video/x-h264" => "H.264",
        "video/x-h265" => "H.265",
        "video/x-vp8" => "VP8",
        "video/x-vp9" => "VP9",
        "video/x-av1" => "AV1",
        "image/jpeg" => "motion JPEG",
        "audio/x-opus" => "Opus",
        "audio/x-vorbis" => "Vorbis",
        "audio/x-flac" => "FLAC",
        "audio/x-mulaw" | "audio/x-alaw" => "G.711",
        "audio/mpeg"
            if caps
                .get::<i32>("mpegversion")
                .is_ok_and(|version| version > 1) =>
        {
            "AAC"
        }
        "audio/mpeg" => "MP3",
        "video/x-raw" => "the picture",
        "audio/x-raw" => "the sound",
        other => other,
    };
    name.to_owned()
}
