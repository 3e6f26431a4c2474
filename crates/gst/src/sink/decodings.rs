//! Streams that come encoded and are decoded, as long as a rendition needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use wigwag_media::ids::StreamId;

use super::control::Controlled;
use super::feeds::Feeds;
use super::input::in_running_time;
use super::messages::{Message, Messages};
use crate::decoding::{Decoding, Outlet};
use crate::turn::Turn;

/// A decoder that fails so often within [`FAILURE_WINDOW`] is given up.
const MAX_FAILURES: u32 = 5;
const FAILURE_WINDOW: Duration = Duration::from_secs(30);

/// A decoding, and how often it failed.
pub(super) struct RunningDecoding {
    decoding: Option<Decoding>,
    /// Distinguishes failures of this pipeline from those of the one before it.
    attempt: u64,
    failures: u32,
    failing_since: Option<Instant>,
}

impl Controlled {
    /// Decodes a stream, if it is not being decoded already. The text of an error is for the user.
    pub(super) fn decode(&mut self, id: StreamId) -> Result<(), String> {
        let running = self.decodings.get(&id);
        if running.is_some_and(|running| running.decoding.is_some()) {
            return Ok(());
        }
        let Some(stream) = self.streams.get(&id) else {
            return Err("its stream is gone".to_owned());
        };
        let attempt = self.next_attempt;
        self.next_attempt += 1;
        let outlet = StreamOutlet {
            stream: id,
            attempt,
            encoded: stream.feeds.clone(),
            decoded: stream.decoded.clone(),
            newest_kept: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            messages: self.messages.clone(),
        };
        let sink = self.sink.upgrade();
        let clock = sink.and_then(|sink| Some((sink.clock()?, sink.base_time()?)));
        let decoding = Decoding::build(&stream.name, stream.audio, clock, Arc::new(outlet));
        let decoding = decoding.map_err(|error: glib::BoolError| error.to_string())?;
        decoding.play();
        let running = self.decodings.entry(id).or_insert(RunningDecoding {
            decoding: None,
            attempt,
            failures: 0,
            failing_since: None,
        });
        running.attempt = attempt;
        running.decoding = Some(decoding);
        Ok(())
    }

    /// Stops decoding what no rendition needs any more.
    pub(super) fn stop_decoding_if_unused(&mut self, id: StreamId) {
        let needs = |stream: &super::streams::Stream| {
            let mut renditions = self.renditions.keys();
            renditions.any(|rendition| stream.is_decoded_for(*rendition))
        };
        if !self.streams.get(&id).is_some_and(needs) {
            self.stop_decoding(id);
        }
    }

    pub(super) fn stop_decoding(&mut self, id: StreamId) {
        let decoding = self.decodings.remove(&id);
        if let Some(decoding) = decoding.and_then(|running| running.decoding) {
            self.detach(id, decoding);
        }
    }

    /// Begins again, as for another format.
    pub(super) fn restart_decoding(&mut self, id: StreamId) {
        if self.decodings.contains_key(&id) {
            self.stop_decoding(id);
            if let Err(reason) = self.decode(id) {
                self.give_up_decoding(id, &reason);
            }
        }
    }

    pub(super) fn on_decoding_failed(&mut self, id: StreamId, attempt: u64, reason: &str) {
        let now = Instant::now();
        let Some(running) = self.decodings.get_mut(&id) else {
            return;
        };
        if running.attempt != attempt {
            return;
        }
        let since = *running.failing_since.get_or_insert(now);
        if now.saturating_duration_since(since) > FAILURE_WINDOW {
            (running.failures, running.failing_since) = (0, Some(now));
        }
        running.failures += 1;
        let too_often = running.failures >= MAX_FAILURES;
        if let Some(decoding) = running.decoding.take() {
            self.detach(id, decoding);
        }
        if too_often {
            return self.give_up_decoding(id, reason);
        }
        if let Err(reason) = self.decode(id) {
            self.give_up_decoding(id, &reason);
        }
    }

    /// Ends what is transcoded of a stream: its viewers get it as it comes, or learn why not.
    fn give_up_decoding(&mut self, id: StreamId, reason: &str) {
        self.stop_decoding(id);
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        let text = format!("{} cannot be decoded: {reason}", stream.name);
        let renditions = self.renditions.keys().copied();
        let renditions: Vec<_> = renditions
            .filter(|rendition| stream.is_decoded_for(*rendition))
            .collect();
        self.warn(&text);
        for rendition in renditions {
            self.stop_rendition(rendition);
            for viewer in self
                .audience
                .handle_rendition_failed(rendition, Instant::now())
            {
                self.end_session(viewer, Some(&text));
            }
        }
    }

    fn detach(&self, id: StreamId, decoding: Decoding) {
        let source = decoding.source().clone();
        // First, so that one that only starts now does not attach itself.
        drop(decoding);
        if let Some(stream) = self.streams.get(&id) {
            stream.feeds.remove_decoder(&source);
        }
    }
}

struct StreamOutlet {
    stream: StreamId,
    attempt: u64,
    encoded: Feeds,
    decoded: Feeds,
    /// Pictures before this are of the past, and only there for what follows to be decoded; in ns, 0 once that is through.
    newest_kept: AtomicU64,
    /// When the latest picture is shown, in ns.
    latest: AtomicU64,
    messages: Messages,
}

impl Outlet for StreamOutlet {
    fn started(&self, source: &gst_app::AppSrc, turn: &Turn) {
        self.encoded.set_decoder(source, |newest| {
            let newest = newest.map_or(0, gst::ClockTime::nseconds);
            self.newest_kept.store(newest, Ordering::Relaxed);
        });
        if turn.is_stopped() {
            self.encoded.remove_decoder(source);
        }
    }

    fn decoded(&self, sample: gst::Sample) {
        let Some(sample) = in_running_time(&sample) else {
            return;
        };
        let Some(shown_at) = sample.buffer().and_then(gst::BufferRef::pts) else {
            return;
        };
        let before = self.latest.swap(shown_at.nseconds(), Ordering::Relaxed);
        let newest = self.newest_kept.load(Ordering::Relaxed);
        // Where time goes back, the stream has restarted.
        if shown_at.nseconds() < newest && before <= shown_at.nseconds() {
            return;
        }
        self.newest_kept.store(0, Ordering::Relaxed);
        self.encoded.decoded_until(shown_at);
        self.decoded.push(&sample);
    }

    fn failed(&self, reason: String) {
        let message = Message::DecodingFailed {
            stream: self.stream,
            attempt: self.attempt,
            reason,
        };
        self.messages.send(message);
    }
}
