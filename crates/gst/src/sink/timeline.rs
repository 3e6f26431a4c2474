//! Times for buffers that come without: by decoding time, or by when they arrive.
//!
//! A probe on the pad sets them before anything reads them, so that the rest of the sink finds a presentation time in
//! each buffer and a segment of time in each stream.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_media::ids::StreamId;

use super::WebRtcSink;
use super::flow::Flow;
use super::messages::Message;

/// How far decoding times may fall behind the clock before they are moved: a parser counts them from the frame rate
/// that the stream claims, and a pipe may begin late or deliver less.
const MAX_LAG: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// How far ahead of the clock a live stream's times by arrival may get, which happens where buffers come in bursts.
const MAX_LEAD: gst::ClockTime = gst::ClockTime::from_mseconds(250);

/// Sound that arrives so much after the end of what came before goes on without a gap.
const CONTIGUOUS: gst::ClockTime = gst::ClockTime::from_mseconds(60);

/// How far apart buffers are set at least; of a live stream, and of one that may be a file and has no frame rate.
const MIN_GAP_LIVE: gst::ClockTime = gst::ClockTime::from_mseconds(1);
const MIN_GAP: gst::ClockTime = gst::ClockTime::from_nseconds(16_666_667);

/// Where on the way to running time a stream is.
#[derive(Debug, Default)]
struct Timeline {
    segment: gst::FormattedSegment<gst::ClockTime>,
    /// What the caps say a buffer lasts, and whether that is of sound.
    content: Content,
    live: Option<bool>,
    /// The end of the latest buffer that was given a time, and its beginning.
    latest: Option<(gst::ClockTime, gst::ClockTime)>,
    /// What is added to decoding times.
    shift: gst::ClockTime,
    /// Whether pictures come encoded.
    encoded: bool,
    /// When the picture before is shown.
    shown: Option<gst::ClockTime>,
}

/// What caps say of how long buffers last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Unknown,
    /// Frames, so many nanoseconds each.
    Frames(u64),
    /// Raw sound, so many bytes a second.
    Sound(u64),
}

/// Sets the times of what comes through a pad, and counts it.
pub(super) fn watch(
    pad: &gst::GhostPad,
    stream: StreamId,
    sink: &gst::glib::WeakRef<WebRtcSink>,
    flow: &Arc<Flow>,
) {
    let (sink, flow) = (sink.clone(), Arc::clone(flow));
    let timeline = Mutex::new(Timeline::default());
    let mask = gst::PadProbeType::BUFFER
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(mask, move |pad, info| {
        let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut info.data {
            Some(gst::PadProbeData::Event(event)) => {
                if event.type_() == gst::EventType::Caps {
                    flow.reset_order();
                }
                timeline.on_event(event);
            }
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let now = || sink.upgrade()?.current_running_time();
                let timed = buffer.pts().is_some();
                timeline.on_buffer(buffer, now, || is_live(pad));
                flow.received(|| timeline.ahead(buffer, now));
                if timed
                    && timeline.goes_back(buffer)
                    && flow.reordered()
                    && let Some(sink) = sink.upgrade()
                {
                    sink.imp().send(Message::Reordered(stream));
                }
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

impl Timeline {
    fn on_event(&mut self, event: &mut gst::Event) {
        match event.view() {
            gst::EventView::StreamStart(_) | gst::EventView::FlushStop(_) => {
                self.live = None;
                self.latest = None;
                self.shift = gst::ClockTime::ZERO;
                self.shown = None;
            }
            gst::EventView::Caps(caps) => {
                self.content = content(caps.caps());
                self.encoded = is_encoded_video(caps.caps());
            }
            gst::EventView::Segment(segment) => {
                self.shown = None;
                match segment.segment().downcast_ref::<gst::ClockTime>() {
                    Some(segment) => self.segment = segment.clone(),
                    None => {
                        // Of bytes, as pipes have it: times in buffers, if any, are of running time.
                        self.segment = gst::FormattedSegment::new();
                        let seqnum = event.seqnum();
                        *event = gst::event::Segment::builder(&self.segment)
                            .seqnum(seqnum)
                            .build();
                    }
                }
            }
            _ => {}
        }
    }

    fn on_buffer(
        &mut self,
        buffer: &mut gst::Buffer,
        now: impl FnOnce() -> Option<gst::ClockTime>,
        live: impl FnOnce() -> bool,
    ) {
        if buffer.pts().is_some() {
            return;
        }
        let running = match buffer.dts() {
            // Outside of its segment, it is not to be shown.
            Some(dts) => match self.segment.to_running_time(dts) {
                Some(dts) => self.by_decoding_time(dts, now()),
                None => return,
            },
            None => {
                let live = *self.live.get_or_insert_with(live);
                let length = self.length(buffer);
                self.by_arrival(length, now(), live)
            }
        };
        let position = self.segment.position_from_running_time(running);
        let buffer = buffer.make_mut();
        buffer.set_pts(position);
        buffer.set_dts(position);
    }

    /// Whether an encoded picture is shown before the one that came before it.
    fn goes_back(&mut self, buffer: &gst::BufferRef) -> bool {
        if !self.encoded {
            return false;
        }
        let before = std::mem::replace(&mut self.shown, buffer.pts());
        buffer.pts().is_some() && buffer.pts() < before
    }

    fn by_decoding_time(
        &mut self,
        dts: gst::ClockTime,
        now: Option<gst::ClockTime>,
    ) -> gst::ClockTime {
        let time = dts + self.shift;
        let lag = now.map_or(gst::ClockTime::ZERO, |now| now.saturating_sub(time));
        let time = if lag > MAX_LAG {
            self.shift += lag;
            time + lag
        } else {
            time
        };
        self.latest = Some((time, time));
        time
    }

    fn by_arrival(
        &mut self,
        length: Option<gst::ClockTime>,
        now: Option<gst::ClockTime>,
        live: bool,
    ) -> gst::ClockTime {
        let Some((begin, end)) = self.latest else {
            let time = now.unwrap_or_default();
            self.latest = Some((time, time + length.unwrap_or_default()));
            return time;
        };
        let sound = matches!(self.content, Content::Sound(_));
        let now = now.unwrap_or(end);
        let earliest = match length {
            Some(_) if sound || !live => end,
            _ if live => begin + MIN_GAP_LIVE,
            _ => begin + MIN_GAP,
        };
        let time = if sound && now <= earliest + CONTIGUOUS {
            earliest
        } else {
            earliest.max(now)
        };
        let too_early = live && time > now + MAX_LEAD;
        let time = if too_early { now } else { time };
        self.latest = Some((time, time + length.unwrap_or_default()));
        time
    }

    fn length(&self, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
        let by_caps = || match self.content {
            Content::Unknown => None,
            Content::Frames(each) => Some(gst::ClockTime::from_nseconds(each)),
            Content::Sound(rate) => (buffer.size() as u64)
                .mul_div_floor(gst::ClockTime::SECOND.nseconds(), rate)
                .map(gst::ClockTime::from_nseconds),
        };
        buffer.duration().or_else(by_caps)
    }

    /// How far a buffer's time is ahead of the clock.
    fn ahead(
        &self,
        buffer: &gst::BufferRef,
        now: impl FnOnce() -> Option<gst::ClockTime>,
    ) -> Option<gst::ClockTime> {
        let running = self.segment.to_running_time(buffer.pts()?)?;
        Some(running.saturating_sub(now()?))
    }
}

fn content(caps: &gst::CapsRef) -> Content {
    let Some(caps) = caps.structure(0) else {
        return Content::Unknown;
    };
    if caps.name() == "audio/x-raw" {
        let known = |field| caps.get::<i32>(field).ok()?.try_into().ok();
        let (rate, channels): (Option<u64>, Option<u64>) = (known("rate"), known("channels"));
        let bits = caps.get::<&str>("format").ok().and_then(bits);
        let bytes = rate.zip(channels).zip(bits);
        let bytes = bytes.map(|((rate, channels), bits)| rate * channels * (bits / 8));
        return bytes
            .filter(|bytes| *bytes > 0)
            .map_or(Content::Unknown, Content::Sound);
    }
    let rate = caps.get::<gst::Fraction>("framerate").ok();
    let rate = rate.filter(|rate| rate.numer() > 0 && rate.denom() > 0);
    let Some((numer, denom)) = rate.map(|rate| (rate.numer(), rate.denom())) else {
        return Content::Unknown;
    };
    let second = i64::try_from(gst::ClockTime::SECOND.nseconds()).unwrap_or(i64::MAX);
    let frame = second / i64::from(numer) * i64::from(denom);
    u64::try_from(frame).map_or(Content::Unknown, Content::Frames)
}

/// The width of a sample, which is the last number in the name of its format.
fn bits(format: &str) -> Option<u64> {
    let mut numbers = format.split(|letter: char| !letter.is_ascii_digit());
    numbers
        .rfind(|number| !number.is_empty())
        .and_then(|number| number.parse().ok())
}

fn is_encoded_video(caps: &gst::CapsRef) -> bool {
    let name = caps.structure(0).map(|caps| caps.name().as_str());
    name.is_some_and(|name| name.starts_with("video/") && name != "video/x-raw")
}

/// Whether what comes through a pad comes at its own pace.
fn is_live(pad: &gst::GhostPad) -> bool {
    let mut latency = gst::query::Latency::new();
    pad.peer_query(&mut latency) && latency.result().0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: gst::ClockTime = gst::ClockTime::from_mseconds(1);

    fn with_caps(caps: &str) -> Timeline {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        Timeline {
            content: content(&caps),
            ..Timeline::default()
        }
    }

    #[test]
    fn decoding_times_count_until_they_fall_behind() {
        let mut timeline = with_caps("video/x-h264");
        let mut time = |dts: u64, now: u64| {
            timeline
                .by_decoding_time(MS * dts, Some(MS * now))
                .mseconds()
        };
        assert_eq!(time(0, 100), 0);
        assert_eq!(time(33, 120), 33);
        assert_eq!(time(66, 900), 900);
        assert_eq!(time(99, 910), 933);
    }

    #[test]
    fn live_frames_get_the_time_of_their_arrival_in_order() {
        let mut timeline = with_caps("image/jpeg, framerate=0/1");
        let mut time = |now: u64| timeline.by_arrival(None, Some(MS * now), true).mseconds();
        assert_eq!(time(100), 100);
        assert_eq!(time(100), 101);
        assert_eq!(time(100), 102);
        assert_eq!(time(240), 240);
    }

    #[test]
    fn a_burst_that_may_be_a_file_is_spread_by_its_frame_rate() {
        let mut timeline = with_caps("video/x-h264, framerate=25/1");
        let mut times = (0..3).map(|_| {
            let length = timeline.length(gst::Buffer::new().as_ref());
            timeline.by_arrival(length, Some(MS * 10), false).mseconds()
        });
        assert_eq!(times.next(), Some(10));
        assert_eq!(times.next(), Some(50));
        assert_eq!(times.next(), Some(90));
    }

    #[test]
    fn live_bursts_do_not_run_ahead_of_the_clock() {
        let mut timeline = with_caps("video/x-h264");
        for _ in 0..2_000 {
            let time = timeline.by_arrival(None, Some(MS * 10), true);
            assert!(time <= MS * 10 + MAX_LEAD);
        }
    }

    #[test]
    fn sound_that_arrives_unevenly_has_no_gaps() {
        let caps = "audio/x-raw, format=S16LE, rate=48000, channels=2";
        let mut timeline = with_caps(caps);
        assert_eq!(timeline.content, Content::Sound(192_000));
        let buffer = gst::Buffer::with_size(1_920).expect("memory");
        let mut time = |now: u64| {
            let length = timeline.length(&buffer);
            timeline.by_arrival(length, Some(MS * now), true).mseconds()
        };
        assert_eq!([time(5), time(21), time(22), time(35)], [5, 15, 25, 35]);
        assert_eq!(time(500), 500, "but a pause is one");
    }

    #[test]
    fn widths_are_read_from_the_names_of_formats() {
        let widths = ["U8", "S16LE", "S24LE", "S24_32BE", "F64LE"].map(bits);
        assert_eq!(widths, [8, 16, 24, 32, 64].map(Some));
    }
}
