//! Where the buffers of a stream go: to each of its renditions, and to what decodes it.
//!
//! Of pictures that come encoded, those since the last key frame are kept, so that a decoder that starts has a picture at
//! once, however far apart the key frames are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gstreamer as gst;
use gstreamer_app as gst_app;
use wigwag_media::ids::RenditionId;

/// Bytes of pictures that are kept since the last key frame; of more, nothing is kept until the next.
const MAX_GROUP_BYTES: usize = 4 << 20;

/// Buffers, however small they are.
const MAX_GROUP_BUFFERS: usize = 8_192;

/// What may wait for a decoder, a whole group included; if it is slower, it goes on with the next key frame.
const MAX_DECODER_BYTES: u64 = 2 * MAX_GROUP_BYTES as u64;

/// How far what comes out of a decoder may be behind what goes in.
const MAX_DECODER_LAG: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// A decoder that lost the thread goes on without a key frame if none comes for so long: some streams have none.
const KEY_FRAME_PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// The subscribers of a stream. Copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Feeds(Arc<Mutex<Subscribers>>);

#[derive(Debug, Default)]
struct Subscribers {
    renditions: Vec<Subscriber>,
    decoder: Option<Decoder>,
    group: Group,
}

#[derive(Debug)]
struct Subscriber {
    rendition: RenditionId,
    source: gst_app::AppSrc,
    media_type: MediaType,
}

/// What a subscriber was made for, known by the first buffer that it got. When the stream changes to another, subscribers are replaced a
/// moment later.
#[derive(Debug, Default)]
struct MediaType(Option<glib::GString>);

#[derive(Debug)]
struct Decoder {
    source: gst_app::AppSrc,
    media_type: MediaType,
    /// Since when it can only go on with a key frame.
    needs_key_frame: Option<gst::ClockTime>,
    /// Whether a key frame is to be asked for: it began without one, or lost the thread.
    asks: bool,
    /// The latest that came out of it since it began or lost the thread.
    until: Option<gst::ClockTime>,
}

/// The buffers since the last key frame.
#[derive(Debug, Default)]
struct Group {
    /// None if there were too many.
    samples: Option<Vec<gst::Sample>>,
    bytes: usize,
}

impl Feeds {
    pub(super) fn add(&self, rendition: RenditionId, source: &gst_app::AppSrc) {
        let mut subscribers = self.lock();
        subscribers
            .renditions
            .retain(|subscriber| subscriber.rendition != rendition);
        subscribers.renditions.push(Subscriber {
            rendition,
            source: source.clone(),
            media_type: MediaType::default(),
        });
    }

    pub(super) fn remove(&self, rendition: RenditionId) {
        self.lock()
            .renditions
            .retain(|subscriber| subscriber.rendition != rendition);
    }

    /// Has the stream decoded, from its last key frame on. Says before when the newest picture of those is shown.
    pub(super) fn set_decoder(
        &self,
        source: &gst_app::AppSrc,
        announce: impl FnOnce(Option<gst::ClockTime>),
    ) {
        let mut subscribers = self.lock();
        let kept = subscribers.group.samples.as_deref().unwrap_or_default();
        let times = kept.iter().filter_map(|sample| sample.buffer()?.pts());
        announce(times.max());
        for sample in kept {
            let _ = source.push_sample(sample);
        }
        // Without any, it begins wherever the stream is: some streams have no key frames at all.
        let asks = kept.is_empty();
        subscribers.decoder = Some(Decoder {
            source: source.clone(),
            media_type: MediaType::default(),
            needs_key_frame: None,
            asks,
            until: None,
        });
    }

    /// Takes a decoder away, unless there is another in its place.
    pub(super) fn remove_decoder(&self, source: &gst_app::AppSrc) {
        let mut subscribers = self.lock();
        subscribers
            .decoder
            .take_if(|decoder| decoder.source == *source);
    }

    /// What was decoded until now.
    pub(super) fn decoded_until(&self, time: gst::ClockTime) {
        if let Some(decoder) = &mut self.lock().decoder {
            decoder.until = Some(time);
        }
    }

    /// Takes all subscribers away, and forgets what was kept.
    pub(super) fn clear(&self) {
        *self.lock() = Subscribers::default();
    }

    /// Gives a buffer to all. One that does not take it, since it starts, stops or failed, is none of the others'
    /// business.
    pub(super) fn push(&self, sample: &gst::Sample) {
        self.lock().give(sample, true);
    }

    /// The same for pictures that come encoded, of which it is known whether they begin with a key frame. Whether the
    /// source is to be asked for one, for what decodes it.
    pub(super) fn push_picture(&self, sample: &gst::Sample, key: bool) -> bool {
        let mut subscribers = self.lock();
        subscribers.group.push(sample, key);
        subscribers.give(sample, key);
        let decoder = subscribers.decoder.as_mut();
        decoder.is_some_and(|decoder| std::mem::take(&mut decoder.asks)) && !key
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscribers {
    fn give(&mut self, sample: &gst::Sample, key: bool) {
        if let Some(decoder) = &mut self.decoder
            && decoder.media_type.is_of(sample)
        {
            decoder.push(sample, key);
        }
        for subscriber in &mut self.renditions {
            if subscriber.media_type.is_of(sample) {
                let _ = subscriber.source.push_sample(sample);
            }
        }
    }
}

impl MediaType {
    /// Whether a sample is of it; the first is.
    fn is_of(&mut self, sample: &gst::Sample) -> bool {
        let Some(name) = media_type(sample) else {
            return true;
        };
        match &self.0 {
            Some(known) => known == name,
            None => {
                self.0 = Some(name.to_owned());
                true
            }
        }
    }
}

fn media_type(sample: &gst::Sample) -> Option<&glib::GStr> {
    Some(sample.caps()?.structure(0)?.name())
}

impl Decoder {
    fn push(&mut self, sample: &gst::Sample, key: bool) {
        let time = sample.buffer().and_then(gst::BufferRef::pts);
        let time = time.unwrap_or_default();
        let waiting = self.source.current_level_bytes();
        match self.needs_key_frame {
            None => {
                let lag = self.until.map(|until| time.saturating_sub(until));
                if waiting > MAX_DECODER_BYTES || lag > Some(MAX_DECODER_LAG) {
                    self.needs_key_frame = Some(time);
                    self.asks = true;
                    return;
                }
            }
            Some(since) => {
                let drained = waiting == 0;
                let patient = time.saturating_sub(since) < KEY_FRAME_PATIENCE;
                if !(key && waiting < MAX_DECODER_BYTES) && (patient || !drained) {
                    return;
                }
                self.needs_key_frame = None;
                self.until = None;
            }
        }
        let _ = self.source.push_sample(sample);
    }
}

impl Group {
    fn push(&mut self, sample: &gst::Sample, key: bool) {
        if key {
            self.samples = Some(Vec::new());
            self.bytes = 0;
        }
        // Frames of another codec do not go on from these.
        let first = self.samples.iter().flatten().next();
        if first.is_some_and(|first| media_type(first) != media_type(sample)) {
            self.samples = None;
        }
        let Some(samples) = &mut self.samples else {
            return;
        };
        self.bytes += sample.buffer().map_or(0, gst::BufferRef::size);
        if self.bytes > MAX_GROUP_BYTES || samples.len() >= MAX_GROUP_BUFFERS {
            self.samples = None;
        } else {
            samples.push(copied(sample));
        }
    }
}

/// The same with memory of its own: the source may have few buffers, which it needs again.
fn copied(sample: &gst::Sample) -> gst::Sample {
    let mut copy = sample.clone();
    if let Some(buffer) = sample.buffer()
        && let Ok(buffer) = buffer.copy_deep()
    {
        copy.make_mut().set_buffer(Some(&buffer));
    }
    copy
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;

    fn sample(size: usize, time: u64) -> gst::Sample {
        gst::init().expect("GStreamer starts");
        let mut buffer = gst::Buffer::with_size(size).expect("memory");
        buffer
            .make_mut()
            .set_pts(gst::ClockTime::from_mseconds(time));
        gst::Sample::builder().buffer(&buffer).build()
    }

    /// What a decoder that starts now is given.
    fn given(feeds: &Feeds) -> (u64, Option<gst::ClockTime>) {
        let source = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(true)
            .max_bytes(0)
            .build();
        source.set_state(gst::State::Paused).expect("it starts");
        let mut newest = None;
        feeds.set_decoder(&source, |found| newest = found);
        let bytes = source.current_level_bytes();
        source.set_state(gst::State::Null).expect("it stops");
        feeds.remove_decoder(&source);
        (bytes, newest)
    }

    #[test]
    fn decoder_that_starts_gets_what_came_since_the_last_key_frame() {
        let feeds = Feeds::default();
        feeds.push_picture(&sample(7, 0), false);
        assert_eq!(given(&feeds), (0, None));
        feeds.push_picture(&sample(100, 10), true);
        feeds.push_picture(&sample(10, 30), false);
        feeds.push_picture(&sample(10, 20), false);
        let newest = gst::ClockTime::from_mseconds(30);
        assert_eq!(given(&feeds), (120, Some(newest)));
        feeds.push_picture(&sample(50, 40), true);
        assert_eq!(given(&feeds).0, 50);
    }

    #[test]
    fn group_beyond_its_limits_is_not_kept() {
        let feeds = Feeds::default();
        feeds.push_picture(&sample(MAX_GROUP_BYTES, 0), true);
        feeds.push_picture(&sample(1, 10), false);
        assert_eq!(given(&feeds), (0, None));
        feeds.push_picture(&sample(1, 20), false);
        assert_eq!(given(&feeds), (0, None), "the key frame is gone");
        let small = sample(1, 30);
        for number in 0..MAX_GROUP_BUFFERS {
            feeds.push_picture(&small, number == 0);
        }
        assert_eq!(given(&feeds).0, MAX_GROUP_BUFFERS as u64);
        feeds.push_picture(&small, false);
        assert_eq!(given(&feeds).0, 0);
    }

    fn waiting_decoder(feeds: &Feeds) -> gst_app::AppSrc {
        let source = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(true)
            .max_bytes(0)
            .build();
        source.set_state(gst::State::Paused).expect("it starts");
        feeds.set_decoder(&source, |_| {});
        source
    }

    fn drain(source: &gst_app::AppSrc) {
        source.set_state(gst::State::Null).expect("it stops");
        source.set_state(gst::State::Paused).expect("it starts");
    }

    #[test]
    fn decoder_that_is_too_slow_goes_on_with_the_next_key_frame() {
        let feeds = Feeds::default();
        gst::init().expect("GStreamer starts");
        let source = waiting_decoder(&feeds);
        let large = sample(MAX_GROUP_BYTES, 0);
        let mut asked = 0;
        for _ in 0..10 {
            asked += u32::from(feeds.push_picture(&large, false));
        }
        // Once at its start, without a key frame, and once when it fell behind.
        assert_eq!(asked, 2);
        assert!(source.current_level_bytes() <= MAX_DECODER_BYTES + MAX_GROUP_BYTES as u64);
        drain(&source);
        feeds.push_picture(&sample(3, 10), false);
        assert_eq!(source.current_level_bytes(), 0);
        feeds.push_picture(&sample(3, 20), true);
        feeds.push_picture(&sample(3, 30), false);
        assert_eq!(source.current_level_bytes(), 6);
        source.set_state(gst::State::Null).expect("it stops");
    }

    #[test]
    fn decoder_of_a_stream_without_key_frames_goes_on_once_it_is_through() {
        let feeds = Feeds::default();
        gst::init().expect("GStreamer starts");
        let source = waiting_decoder(&feeds);
        let large = sample(MAX_GROUP_BYTES, 0);
        (0..10).for_each(|_| _ = feeds.push_picture(&large, false));
        drain(&source);
        feeds.push_picture(&sample(3, 1_000), false);
        assert_eq!(source.current_level_bytes(), 0);
        feeds.push_picture(&sample(3, 2_000), false);
        assert_eq!(source.current_level_bytes(), 3);
        source.set_state(gst::State::Null).expect("it stops");
    }

    #[test]
    fn decoder_whose_pictures_come_late_is_given_no_more_until_a_key_frame() {
        let feeds = Feeds::default();
        gst::init().expect("GStreamer starts");
        let source = waiting_decoder(&feeds);
        feeds.push_picture(&sample(1, 0), true);
        feeds.decoded_until(gst::ClockTime::ZERO);
        feeds.push_picture(&sample(1, 3_000), false);
        assert_eq!(source.current_level_bytes(), 2);
        assert!(feeds.push_picture(&sample(1, 3_001), false), "asks");
        assert_eq!(source.current_level_bytes(), 2);
        feeds.push_picture(&sample(1, 3_100), true);
        feeds.push_picture(&sample(1, 3_200), false);
        assert_eq!(source.current_level_bytes(), 4);
        source.set_state(gst::State::Null).expect("it stops");
    }
}
