//! What streams say of their colours: BT.601 in limited range, which is what renditions are made of.
//!
//! Encoders differ in what they write into a stream, and browsers in what they take for granted where it says nothing:
//! of AV1 and H.264 Chromium assumes BT.709, Firefox BT.601. Both believe what a stream says.

mod av1;
mod h264;
mod vp9;

use gst::prelude::*;
use gstreamer as gst;

/// ITU-T H.273: BT.601 with 525 lines, as primaries, transfer function and matrix.
const BT601: u32 = 6;

/// `video_full_range_flag`, `color_range`.
const LIMITED: u32 = 0;

/// Encoders whose streams say what they are given.
const DESCRIBING: &[&str] = &["x264enc", "x265enc", "vp8enc", "vp9enc"];

/// A way to write the description into a picture; none if nothing is to change.
type Describe = fn(&[u8]) -> Option<Vec<u8>>;

/// In which form an encoder's stream must be for [`describe`].
pub(super) fn form(encoder: &gst::Element, codec: &str) -> Option<(&'static str, &'static str)> {
    writer(encoder, codec)?;
    match codec {
        "H264" => Some(("stream-format", "byte-stream")),
        "AV1" => Some(("stream-format", "obu-stream")),
        _ => None,
    }
}

/// Makes what an encoder makes say what it is.
pub(super) fn describe(encoder: &gst::Element, codec: &str) {
    let (Some(write), Some(pad)) = (writer(encoder, codec), encoder.static_pad("src")) else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            rewrite(buffer, write);
        }
        gst::PadProbeReturn::Ok
    });
}

fn writer(encoder: &gst::Element, codec: &str) -> Option<Describe> {
    let factory = encoder.factory()?;
    if DESCRIBING.contains(&factory.name().as_str()) {
        return None;
    }
    match codec {
        "H264" => Some(h264::described),
        "AV1" => Some(av1::described),
        "VP9" => Some(vp9::described),
        _ => None,
    }
}

fn rewrite(buffer: &mut gst::Buffer, write: Describe) {
    let described = {
        let data = buffer.map_readable().ok();
        data.and_then(|data| write(&data))
    };
    let Some(described) = described else {
        return;
    };
    let mut fresh = gst::Buffer::from_mut_slice(described);
    if buffer
        .copy_into(fresh.make_mut(), gst::BUFFER_COPY_METADATA, ..)
        .is_ok()
    {
        *buffer = fresh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a parser reads in the caps of what an encoder makes, once its stream was described.
    fn colorimetry(encoder: &str, codec: &str, parser: &str) -> Option<String> {
        gst::init().expect("GStreamer starts");
        let description = format!(
            "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240,framerate=30/1,colorimetry=bt601 \
             ! {encoder} name=e ! {parser} name=p ! fakesink name=f"
        );
        let pipeline = gst::parse::launch(&description).expect("a pipeline");
        let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
        let encoder = pipeline.by_name("e").expect("named so");
        describe(&encoder, codec);
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let bus = pipeline.bus().expect("it has one");
        let end = bus.timed_pop_filtered(
            gst::ClockTime::from_seconds(30),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        let ended = end.map(|message| message.type_());
        let parser = pipeline.by_name("p").expect("named so");
        let caps = parser.static_pad("src").and_then(|pad| pad.current_caps());
        pipeline.set_state(gst::State::Null).expect("it stops");
        assert_eq!(ended, Some(gst::MessageType::Eos));
        caps?.structure(0)?.get::<String>("colorimetry").ok()
    }

    #[test]
    fn streams_of_encoders_that_say_nothing_are_described() {
        assert_eq!(
            colorimetry("openh264enc", "H264", "h264parse").as_deref(),
            Some("bt601")
        );
        let av1 = "av1enc usage-profile=realtime cpu-used=10 max-quantizer=63";
        assert_eq!(
            colorimetry(av1, "AV1", "av1parse").as_deref(),
            Some("bt601")
        );
    }

    #[test]
    fn usability_information_that_is_there_keeps_the_rest() {
        // Made by x264enc, with timing and restrictions, and a description of BT.709.
        gst::init().expect("GStreamer starts");
        let description = "videotestsrc num-buffers=1 \
            ! video/x-raw,format=I420,width=320,height=240,framerate=30/1,colorimetry=bt709 \
            ! x264enc tune=zerolatency ! video/x-h264,stream-format=byte-stream ! appsink name=s";
        let pipeline = gst::parse::launch(description).expect("a pipeline");
        let pipeline: gst::Pipeline = pipeline.downcast().expect("several elements");
        let sink = pipeline.by_name("s").expect("named so");
        let sink: gstreamer_app::AppSink = sink.downcast().expect("of this kind");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let sample = sink.pull_sample().expect("a picture");
        let buffer = sample.buffer().expect("it has one");
        let made = buffer.map_readable().expect("readable");
        let described = h264::described(&made).expect("it has parameters");
        assert_eq!(described.len(), made.len());
        assert_ne!(described.as_slice(), made.as_slice());
        // Once more, nothing changes.
        assert_eq!(h264::described(&described).as_ref(), Some(&described));
        pipeline.set_state(gst::State::Null).expect("it stops");
    }

    #[test]
    fn key_frames_of_vp9_are_described_in_place() {
        let key = [0x82, 0x49, 0x83, 0x42, 0b0100_0000, 1, 2];
        let described = vp9::described(&key).expect("it changes");
        assert_eq!(described, [0x82, 0x49, 0x83, 0x42, 0b0010_0000, 1, 2]);
        assert_eq!(vp9::described(&described), None);
        assert_eq!(vp9::described(&[0x86, 0x49, 0x83, 0x42, 0x40]), None);
    }

    #[test]
    fn damaged_streams_are_left_alone() {
        for write in [h264::described, av1::described, vp9::described] {
            let mut seed = 7u32;
            let mut data = vec![0, 0, 0, 1, 0x67, 0x0a, 0x0b];
            for _ in 0..500 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                data.push((seed >> 24) as u8);
                let _ = write(&data);
                let _ = write(&data[data.len().min(6)..]);
            }
        }
    }
}
