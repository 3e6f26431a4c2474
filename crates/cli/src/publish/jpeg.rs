//! JPEG pictures of the frames of a source.

use std::time::{Duration, Instant};

use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;

use super::latest::Frames;
use super::missing;

/// How long the frames since a key frame may take to be decoded; of more, the last that was decoded by then counts.
const DECODING_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one frame may take to be encoded.
const ENCODING_TIMEOUT: Duration = Duration::from_secs(5);

/// To an upright progressive picture with square pixels. Encoders of JPEG take YUV for full-range whatever its caps say;
/// what is RGB they convert themselves.
const ENCODER: &str = "videoconvert ! deinterlace ! videoconvert ! videoscale add-borders=false ! \
     video/x-raw,format=RGB,pixel-aspect-ratio=1/1 ! jpegenc";

/// The last of the frames as JPEG. The text of an error is for the user.
pub(super) fn encode(frames: Frames) -> Result<Vec<u8>, String> {
    let raw = match frames {
        Frames::Raw(sample) => sample,
        Frames::Encoded(samples) => {
            let decoder = element("decodebin")?;
            use_one_thread(&decoder);
            last_of(&samples, &decoder, "video/x-raw", DECODING_TIMEOUT)?
        }
    };
    let encoder = gst::parse::bin_from_description(ENCODER, true)
        .map_err(|error| format!("{}; {}", error.message(), install("jpegenc")))?;
    let encoder = encoder.upcast_ref();
    let picture = last_of(&[raw], encoder, "image/jpeg", ENCODING_TIMEOUT)?;
    let picture = picture
        .buffer()
        .and_then(|buffer| buffer.map_readable().ok());
    picture
        .map(|bytes| bytes.to_vec())
        .ok_or_else(|| "the encoder made nothing".to_owned())
}

/// The last of what an element makes of samples; its source pad may come later.
fn last_of(
    samples: &[gst::Sample],
    element: &gst::Element,
    media_type: &str,
    timeout: Duration,
) -> Result<gst::Sample, String> {
    let pipeline = Pipeline(gst::Pipeline::new());
    let source = gst_app::AppSrc::builder()
        .format(gst::Format::Time)
        // All of it waits at once: what is kept of a source has limits.
        .max_bytes(0)
        .build();
    source.set_caps(
        samples
            .first()
            .and_then(|sample| sample.caps_owned())
            .as_ref(),
    );
    let sink = gst_app::AppSink::builder()
        .caps(&gst::Caps::new_empty_simple(media_type))
        .sync(false)
        .max_buffers(1)
        .drop(true)
        .wait_on_eos(false)
        .build();
    let broken = |_: gst::glib::BoolError| "its pipeline could not be built".to_owned();
    pipeline
        .0
        .add_many([source.upcast_ref(), element, sink.upcast_ref()])
        .and_then(|()| source.link(element))
        .map_err(broken)?;
    match element.static_pad("src") {
        Some(_) => element.link(&sink).map_err(broken)?,
        None => {
            let sink = sink.clone();
            element.connect_pad_added(move |_, pad| {
                if let Some(entry) = sink.static_pad("sink") {
                    // A decoder of one track has one pad.
                    let _ = pad.link(&entry);
                }
            });
        }
    }
    // A failure is also posted as a message, which says more.
    let _ = pipeline.0.set_state(gst::State::Playing);
    for buffer in samples.iter().filter_map(|sample| sample.buffer_owned()) {
        let _ = source.push_buffer(buffer);
    }
    let _ = source.end_of_stream();
    let ended = pipeline.wait_for_end(timeout)?;
    let last = sink.property::<Option<gst::Sample>>("last-sample");
    last.ok_or_else(|| match ended {
        true => "nothing in it could be decoded".to_owned(),
        false => format!("it took longer than {} s", timeout.as_secs()),
    })
}

/// A pipeline that is ended when it is dropped.
struct Pipeline(gst::Pipeline);

impl Pipeline {
    /// Whether it ended in time.
    fn wait_for_end(&self, timeout: Duration) -> Result<bool, String> {
        let Some(bus) = self.0.bus() else {
            return Err("its pipeline could not be built".to_owned());
        };
        let wanted = [
            gst::MessageType::Eos,
            gst::MessageType::Error,
            gst::MessageType::Element,
        ];
        let end = Instant::now() + timeout;
        let mut lacks = None;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = gst::ClockTime::try_from(left).unwrap_or_default();
            let message = bus.timed_pop_filtered(left, &wanted);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Eos(_)) => return Ok(true),
                Some(gst::MessageView::Error(error)) => {
                    return Err(lacks.unwrap_or_else(|| error.error().message().to_owned()));
                }
                Some(gst::MessageView::Element(element)) => {
                    lacks = element.structure().and_then(missing::describe).or(lacks);
                }
                _ => return Ok(false),
            }
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Limits decoders to one thread, where they have a property for it.
fn use_one_thread(decoder: &gst::Element) {
    decoder.connect("deep-element-added", false, |values| {
        let element = values.get(2)?.get::<gst::Element>().ok()?;
        for name in ["max-threads", "threads"] {
            if element.has_property_with_type(name, i32::static_type()) {
                element.set_property(name, 1i32);
            }
        }
        None
    });
}

fn element(name: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|error| format!("{}; {}", error.message, install(name)))
}

fn install(element: &str) -> String {
    format!("install {}", missing::element_package(element))
}
