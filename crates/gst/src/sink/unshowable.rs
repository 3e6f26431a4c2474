//! What comes encoded and not every browser can show.

use gstreamer as gst;

/// Why some or all viewers see nothing of what has these caps; none if all may.
pub(super) fn reason(caps: &gst::StructureRef) -> Option<&'static str> {
    let text = |field| caps.get::<&str>(field).unwrap_or_default();
    let by_profile = match (caps.name().as_str(), text("profile")) {
        ("video/x-h264", profile) if profile.starts_with("high-10") => Some("it has 10 bits"),
        ("video/x-h264", profile) if profile.starts_with("high-4:2:2") => Some("it is 4:2:2"),
        ("video/x-h264", profile) if profile.contains("4:4:4") => Some("it is 4:4:4"),
        ("video/x-h264", "extended") => Some("it is of the extended profile"),
        ("video/x-vp9", "1" | "2" | "3") => Some("it is not of profile 0"),
        _ => None,
    };
    let encoded = matches!(
        caps.name().as_str(),
        "video/x-h264" | "video/x-h265" | "video/x-vp9" | "video/x-av1"
    );
    let interlaced = matches!(text("interlace-mode"), "interleaved" | "mixed" | "fields");
    by_profile.or_else(|| (encoded && interlaced).then_some("it is interlaced"))
}

/// The words of a warning.
pub(super) fn warning(pad: &str, what: &str, reason: &str) -> String {
    format!(
        "{pad}: not every browser shows this {what}, for {reason}. Let the encoder make what they take (of H.264, \
         constrained-baseline with bframes=0), or decode it in front of the sink"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(caps: &str) -> Option<&'static str> {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        reason(caps.structure(0).expect("not empty"))
    }

    #[test]
    fn profiles_and_interlacing_are_reasons() {
        for (caps, part) in [
            ("video/x-h264, profile=high-4:4:4", "4:4:4"),
            ("video/x-h264, profile=high-10", "10 bits"),
            (
                "video/x-h264, profile=(string)main, interlace-mode=mixed",
                "interlaced",
            ),
            ("video/x-vp9, profile=(string)1", "profile 0"),
        ] {
            let reason = reason_of(caps);
            assert!(reason.is_some_and(|reason| reason.contains(part)), "{caps}");
        }
        for caps in [
            "video/x-h264, profile=high, interlace-mode=progressive",
            "video/x-vp9, profile=(string)0",
            "video/x-raw, interlace-mode=mixed",
        ] {
            assert_eq!(reason_of(caps), None, "{caps}");
        }
    }
}
