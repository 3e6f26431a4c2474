//! Times for samples that come without.

use gstreamer as gst;

/// How long a picture is shown of a file that says nothing about it: 25 a second.
const USUAL_DURATION: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// How far live pictures are apart at least, so that they have an order.
const MIN_GAP: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// The times of a track, of which some or all may be missing.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// The running time of the latest sample.
    latest: Option<gst::ClockTime>,
}

impl Arrival {
    /// Whether a sample has a time, which is noted.
    pub(super) fn note(&mut self, sample: &gst::Sample) -> bool {
        let Some(buffer) = sample.buffer() else {
            return true;
        };
        let Some(time) = buffer.pts().or_else(|| buffer.dts()) else {
            return false;
        };
        let segment = sample.segment().and_then(|segment| segment.downcast_ref());
        let running = segment.and_then(|segment: &gst::FormattedSegment<gst::ClockTime>| {
            segment.to_running_time(time)
        });
        self.latest = running.or(self.latest);
        segment.is_some()
    }

    /// The sample with a time: of a live source that of its arrival, of a file one frame after the one before.
    pub(super) fn stamp(
        &mut self,
        mut sample: gst::Sample,
        now: gst::ClockTime,
        live: bool,
    ) -> gst::Sample {
        let Some(mut buffer) = sample.buffer_owned() else {
            return sample;
        };
        let time = match self.latest {
            None => now,
            Some(latest) if live => now.max(latest + MIN_GAP),
            Some(latest) => latest + buffer.duration().unwrap_or(USUAL_DURATION),
        };
        self.latest = Some(time);
        let segment = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>().cloned())
            .unwrap_or_default();
        {
            let buffer = buffer.make_mut();
            buffer.set_pts(segment.position_from_running_time(time));
        }
        let whole = sample.make_mut();
        whole.set_segment(Some(segment.upcast_ref()));
        whole.set_buffer(Some(&buffer));
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: gst::ClockTime = gst::ClockTime::from_mseconds(1);

    fn sample(dts: Option<gst::ClockTime>) -> gst::Sample {
        gst::init().expect("GStreamer starts");
        let mut buffer = gst::Buffer::new();
        buffer.make_mut().set_dts(dts);
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        gst::Sample::builder()
            .buffer(&buffer)
            .segment(&segment)
            .build()
    }

    fn stamped(arrival: &mut Arrival, now: u64, live: bool) -> Option<u64> {
        let stamped = arrival.stamp(sample(None), MS * now, live);
        let time = stamped.buffer().and_then(gst::BufferRef::pts);
        time.map(gst::ClockTime::mseconds)
    }

    #[test]
    fn live_pictures_are_played_as_they_come() {
        let mut arrival = Arrival::default();
        assert!(!arrival.note(&sample(None)));
        let times = [100, 100, 300].map(|now| stamped(&mut arrival, now, true));
        assert_eq!(times, [Some(100), Some(101), Some(300)]);
    }

    #[test]
    fn pictures_of_a_file_follow_the_first_that_has_a_time() {
        let mut arrival = Arrival::default();
        assert!(arrival.note(&sample(Some(MS * 7))));
        let times = [500, 500].map(|now| stamped(&mut arrival, now, false));
        assert_eq!(times, [Some(47), Some(87)]);
    }

    #[test]
    fn times_outside_a_segment_of_time_do_not_count() {
        let mut arrival = Arrival::default();
        let mut of_bytes = sample(Some(MS));
        let segment = gst::FormattedSegment::<gst::format::Bytes>::new();
        of_bytes.make_mut().set_segment(Some(segment.upcast_ref()));
        assert!(!arrival.note(&of_bytes));
    }
}
