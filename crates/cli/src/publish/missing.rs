//! What to install for what GStreamer lacks, as Debian names it.

use gstreamer as gst;

/// The line about a plugin that is missing, from the message with which elements tell of it; none for
/// other messages.
pub(crate) fn describe(message: &gst::StructureRef) -> Option<String> {
    if message.name() != "missing-plugin" {
        return None;
    }
    let kind: &str = message.get("type").ok()?;
    let (media_type, detail) = match message.get::<gst::Caps>("detail") {
        Ok(caps) => {
            let name = caps
                .structure(0)
                .map(|structure| structure.name().to_string());
            (name.unwrap_or_default(), None)
        }
        Err(_) => (String::new(), message.get::<String>("detail").ok()),
    };
    let detail = detail.unwrap_or(media_type);
    let package = match kind {
        "urisource" => source_package(&detail),
        "element" => element_package(&detail),
        _ => decoder_package(&detail),
    };
    let name = message.get::<String>("name").unwrap_or(detail);
    Some(match kind {
        "urisource" => format!("GStreamer lacks a {name}; install {package}"),
        "element" => format!("GStreamer lacks an element: {name}; install {package}"),
        _ => format!("GStreamer has no decoder for this: {name}; install {package}"),
    })
}

/// Decoders and demultiplexers.
fn decoder_package(media_type: &str) -> &'static str {
    match media_type {
        "video/quicktime" | "video/x-matroska" | "video/webm" | "video/x-flv"
        | "video/x-msvideo" | "audio/x-wav" | "audio/x-flac" | "video/x-vp8" | "video/x-vp9"
        | "image/jpeg" => "gstreamer1.0-plugins-good",
        "application/ogg" | "audio/x-opus" | "audio/x-vorbis" | "video/x-theora" => {
            "gstreamer1.0-plugins-base"
        }
        "video/mpegts" | "video/x-av1" | "application/x-hls" | "application/dash+xml" => {
            "gstreamer1.0-plugins-bad"
        }
        "video/x-ms-asf" => "gstreamer1.0-plugins-ugly",
        "application/x-rtp" => "gstreamer1.0-plugins-good",
        _ => "gstreamer1.0-libav",
    }
}

fn source_package(scheme: &str) -> &'static str {
    match scheme {
        "http" | "https" | "rtsp" | "rtsps" | "udp" => "gstreamer1.0-plugins-good",
        _ => "gstreamer1.0-plugins-bad",
    }
}

/// The package of an element that this command uses by name.
pub(crate) fn element_package(element: &str) -> &'static str {
    match element {
        "deinterlace" | "jpegenc" | "rtspsrc" | "v4l2src" | "videoflip" => {
            "gstreamer1.0-plugins-good"
        }
        "h264parse" => "gstreamer1.0-plugins-bad",
        // Pango came to the X11 plugins' package, which needs no X11 server.
        "clockoverlay" | "timeoverlay" => "gstreamer1.0-x",
        _ => "gstreamer1.0-plugins-base",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Option<String> {
        gst::init().expect("GStreamer starts");
        let structure: gst::Structure = message.parse().expect("a structure");
        describe(&structure)
    }

    #[test]
    fn a_missing_decoder_is_named_with_its_package() {
        let message = "missing-plugin, type=(string)decoder, detail=(GstCaps)\"video/x-h265\", name=(string)\"H.265 decoder\"";
        assert_eq!(
            line(message).as_deref(),
            Some("GStreamer has no decoder for this: H.265 decoder; install gstreamer1.0-libav")
        );
        let message = "missing-plugin, type=(string)urisource, detail=(string)srt, name=(string)\"SRT protocol source\"";
        assert!(
            line(message).is_some_and(|line| line.ends_with("install gstreamer1.0-plugins-bad"))
        );
        assert_eq!(line("something-else"), None);
    }
}
