//! Encoders in GStreamer's registry.

use gst::prelude::*;
use gstreamer as gst;

use crate::codec::Format;

/// Makes sure that there is an AV1 payloader: GStreamer 1.22 has none, and distributions leave out the plugin
/// that has. One that is installed is used instead of ours.
///
/// Not called when the plugin is loaded, which also happens in the program that scans plugins.
pub(crate) fn prepare() {
    #[cfg(feature = "av1")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            if gst::ElementFactory::find("rtpav1pay").is_none()
                && let Err(error) = gstrsrtp::plugin_register_static()
            {
                gst::warning!(crate::log::ELEMENTS, "no AV1: {error}");
            }
        });
    }
}

/// Encoders of a codec that can be used, the highest rank first. Users steer with
/// `GST_PLUGIN_FEATURE_RANK`, as everywhere in GStreamer.
pub(crate) fn encoders(format: &Format) -> Vec<gst::ElementFactory> {
    let caps = format.encoded_caps();
    let all = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::ENCODER,
        gst::Rank::MARGINAL,
    );
    let makes = |factory: &gst::ElementFactory| {
        factory.static_pad_templates().iter().any(|template| {
            let made = template.caps();
            template.direction() == gst::PadDirection::Src
                && !made.is_any()
                && made.can_intersect(&caps)
        })
    };
    let mut encoders: Vec<_> = all.into_iter().filter(makes).collect();
    encoders.sort_by(|one, other| {
        let by_rank = other.rank().cmp(&one.rank());
        by_rank.then_with(|| one.name().cmp(&other.name()))
    });
    encoders
}

/// Whether there is a decoder for a stream with these caps.
pub(crate) fn can_decode(caps: &gst::StructureRef) -> bool {
    let all = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER,
        gst::Rank::MARGINAL,
    );
    // The decoder has a parser in front of it, which brings the stream into the form that it takes.
    let caps = gst::Caps::new_empty_simple(caps.name());
    all.iter().any(|factory| factory.can_sink_any_caps(&caps))
}

/// Whether a stream of this codec can be sent without encoding.
pub(crate) fn can_payload(format: &Format) -> bool {
    let elements = [Some(format.payloader), format.parser];
    elements
        .into_iter()
        .flatten()
        .all(|name| gst::ElementFactory::find(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::FORMATS;

    #[test]
    fn the_usual_encoders_are_found_by_rank() {
        gst::init().expect("GStreamer starts");
        let names = |name: &str| {
            let format = FORMATS.iter().find(|format| format.name == name);
            let found = encoders(format.expect("a codec"));
            found
                .iter()
                .map(|factory| factory.name().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("VP8")[0], "vp8enc");
        assert_eq!(names("VP9")[0], "vp9enc");
        assert_eq!(names("OPUS")[0], "opusenc");
        let h264 = names("H264");
        let place = |name: &str| h264.iter().position(|found| found == name);
        assert!(place("x264enc").expect("installed") < place("openh264enc").expect("installed"));
    }
}
