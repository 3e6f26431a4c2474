//! Encoders that run, compared with what is wanted of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gst::prelude::*;
use gstreamer as gst;
use wigwag_media::encoder_control::{EncoderControl, EncoderEvent, Output};
use wigwag_media::frame::Frame;
use wigwag_media::ids::RenditionId;

use super::control::Controlled;
use super::renditions::Running;
use crate::log;

/// What a rendition has made until now; written by its thread.
#[derive(Debug, Default)]
pub(super) struct Made {
    bytes: AtomicU64,
    frames: AtomicU64,
    key_frames: AtomicU64,
}

impl Controlled {
    /// When to call [`look_after_encoders`](Self::look_after_encoders).
    pub(super) fn encoders_deadline(&self) -> Option<Instant> {
        let controls = self.renditions.values();
        let controls = controls.filter_map(|running| running.control.as_ref());
        controls.map(EncoderControl::poll_timeout).min()
    }

    /// Compares what comes out of encoders with what is wanted of them.
    pub(super) fn look_after_encoders(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (id, running) in &mut self.renditions {
            if let Some(control) = &mut running.control
                && control.poll_timeout() <= now
            {
                control.handle_output(running.made.output());
                control.handle_timeout(now);
                due.push(*id);
            }
        }
        for id in due {
            self.apply_encoder_events(id);
        }
    }

    /// Does what the control of an encoder decided.
    pub(super) fn apply_encoder_events(&mut self, id: RenditionId) {
        let next = |running: &mut Running| running.control.as_mut()?.poll_event();
        while let Some(running) = self.renditions.get_mut(&id)
            && let Some(event) = next(running)
        {
            match event {
                EncoderEvent::SetRate(rate) => running.rendition.set_rate(rate),
                EncoderEvent::NoKeyFrames => return self.replace_encoder(id),
            }
        }
    }

    /// Takes the next encoder in the place of one that makes no key frames when it is asked to, if there is one.
    fn replace_encoder(&mut self, id: RenditionId) {
        let Some(running) = self.renditions.get_mut(&id) else {
            return;
        };
        let factory = running.rendition.encoder().and_then(ElementExt::factory);
        let name = factory.map(|factory| factory.name().to_string());
        let name = name.unwrap_or_default();
        let left = std::mem::take(&mut running.encoders_left);
        if left.is_empty() {
            return gst::warning!(log::SINK, "{name} makes no key frames when it is asked to");
        }
        let viewer = running.viewer;
        self.warn(&format!(
            "{name} makes no key frames when it is asked to; another encoder takes its place"
        ));
        self.unresponsive.insert(name);
        self.stop_rendition(id);
        let rate = self.audience.rate(id).unwrap_or_default();
        self.try_encoders(id, rate, viewer, left);
    }
}

impl Made {
    pub(super) fn output(&self) -> Output {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Output {
            bytes: read(&self.bytes),
            frames: read(&self.frames),
            key_frames: read(&self.key_frames),
        }
    }

    pub(super) fn count(&self, frame: &Frame) {
        let add = |count: &AtomicU64, more: u64| count.fetch_add(more, Ordering::Relaxed);
        add(&self.bytes, frame.bytes() as u64);
        add(&self.frames, 1);
        add(&self.key_frames, u64::from(frame.key));
    }
}
