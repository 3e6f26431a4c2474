//! What comes encoded and not every viewer can show, though it takes the codec.

use gstreamer as gst;

use crate::bitstream::REORDERED;

/// Why some or all viewers show nothing of a stream with these caps, or show it wrong; none if all show it. `reordered` says
/// that its pictures were seen to come in another order than they are shown in.
///
/// Other profiles of VP9 and H.265 are no reason: who lists them shows them, and who does not refuses them.
pub(super) fn reason(caps: &gst::StructureRef, reordered: bool) -> Option<&'static str> {
    let text = |field| caps.get::<&str>(field).unwrap_or_default();
    let name = caps.name().as_str();
    if !name.starts_with("video/") || name == "video/x-raw" {
        return None;
    }
    let says_reordered = caps.get::<u32>(REORDERED).is_ok_and(|places| places > 0);
    if reordered || says_reordered {
        return Some("its frames are not in the order in which they are shown (B-frames)");
    }
    if matches!(name, "video/x-h264" | "video/x-av1") {
        let bits = caps.get::<u32>("bit-depth-luma").unwrap_or(8);
        let profile = text("profile");
        if bits > 8 || profile.starts_with("high-10") {
            return Some("it has more than 8 bits");
        }
        if profile == "extended" {
            return Some("it is of the extended profile");
        }
        let chroma = text("chroma-format");
        if profile.starts_with("high-4") || !matches!(chroma, "" | "4:2:0") {
            return Some("its chroma is not 4:2:0");
        }
    }
    if matches!(
        text("interlace-mode"),
        "interleaved" | "mixed" | "fields" | "alternate"
    ) {
        return Some("it is interlaced");
    }
    let pixels = caps.get::<gst::Fraction>("pixel-aspect-ratio").ok();
    pixels
        .is_some_and(|pixels| pixels.numer() != pixels.denom())
        .then_some("its pixels are not square")
}

/// The words of a warning for what is passed through all the same, and why it is not transcoded.
pub(super) fn warning(pad: &str, what: &str, reason: &str, lacking: Option<&str>) -> String {
    let remedy = match lacking {
        Some(lacking) => format!("It is not transcoded: {lacking}"),
        None => {
            "Set transcode to when-needed, or let the encoder make what viewers take (of H.264, \
                 constrained-baseline with bframes=0)"
                .to_owned()
        }
    };
    format!("{pad}: not every viewer shows this {what} right, for {reason}. {remedy}")
}

/// The note for viewers.
pub(super) fn caveat(reason: &str, lacking: Option<&str>) -> String {
    let cause = match lacking {
        Some(_) => "it lacks a decoder or an encoder",
        None => "transcoding is turned off",
    };
    format!("{reason}, and the sender does not transcode it: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(caps: &str, reordered: bool) -> Option<&'static str> {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        reason(caps.structure(0).expect("not empty"), reordered)
    }

    #[test]
    fn what_browsers_show_wrong_or_not_at_all_has_a_reason() {
        for (caps, part) in [
            ("video/x-h264, profile=high-4:4:4", "4:2:0"),
            ("video/x-h264, profile=high-4:2:2", "4:2:0"),
            ("video/x-h264, chroma-format=4:0:0", "4:2:0"),
            ("video/x-h264, profile=high-10", "8 bits"),
            ("video/x-av1, bit-depth-luma=(uint)10", "8 bits"),
            ("video/x-h264, reordered=(uint)2", "B-frames"),
            (
                "video/x-h264, profile=main, interlace-mode=mixed",
                "interlaced",
            ),
            ("video/x-h265, interlace-mode=interleaved", "interlaced"),
            ("video/x-vp8, pixel-aspect-ratio=16/11", "square"),
        ] {
            let reason = reason_of(caps, false);
            assert!(reason.is_some_and(|reason| reason.contains(part)), "{caps}");
        }
        for caps in [
            "video/x-h264, profile=high, interlace-mode=progressive, pixel-aspect-ratio=1/1",
            "video/x-h264, chroma-format=4:2:0, bit-depth-luma=(uint)8, reordered=(uint)0",
            "video/x-vp9, profile=(string)2, bit-depth-luma=(uint)10",
            "video/x-raw, interlace-mode=mixed, pixel-aspect-ratio=4/3",
            "audio/x-opus",
        ] {
            assert_eq!(reason_of(caps, false), None, "{caps}");
        }
    }

    #[test]
    fn pictures_seen_out_of_order_are_a_reason_whatever_the_caps_say() {
        let caps = "video/x-h264, profile=constrained-baseline, reordered=(uint)0";
        assert!(reason_of(caps, true).is_some_and(|reason| reason.contains("B-frames")));
    }
}
