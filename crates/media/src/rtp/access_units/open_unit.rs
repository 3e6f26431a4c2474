//! The access unit whose packets come in just now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beginning::temporal_layer;
use super::reordering::Queued;
use super::{AccessUnit, UnitFormat};
use crate::frame::{Frame, MAX_PACKETS_PER_FRAME};
use crate::rtp::MAX_ACCESS_UNIT_BYTES;
use crate::rtp::key_frame_detection::{FrameKind, frame_kind};
use crate::rtp::received_packet::CaptureTime;

#[derive(Debug)]
pub(super) struct OpenUnit {
    format: UnitFormat,
    ssrc: u32,
    rtp_time: u32,
    captured_at: Instant,
    kind: FrameKind,
    temporal_layer: u8,
    /// Whether none of its packets is missing and it is not too large.
    is_intact: bool,
    packets: usize,
    bytes: usize,
    /// Whether a part of it went on.
    has_begun: bool,
    orientation: Option<u16>,
    captured: Option<CaptureTime>,
    /// Packets that did not go on yet.
    payloads: Vec<Arc<[u8]>>,
    dependency_descriptors: Vec<Option<Arc<[u8]>>>,
    /// When the first of them came.
    pending_since: Instant,
}

impl OpenUnit {
    /// One that begins with a packet, which is taken by [`push`](Self::push).
    pub(super) fn new(format: UnitFormat, first: &Queued, is_intact: bool) -> Self {
        let packet = &first.packet;
        Self {
            format,
            ssrc: packet.ssrc,
            rtp_time: packet.timestamp,
            captured_at: first.captured,
            kind: FrameKind::Undecided,
            temporal_layer: temporal_layer(format.codec, &packet.payload),
            is_intact,
            packets: 0,
            bytes: 0,
            has_begun: false,
            orientation: None,
            captured: None,
            payloads: Vec::new(),
            dependency_descriptors: Vec::new(),
            pending_since: packet.arrived,
        }
    }

    /// Whether a packet of a format and RTP time goes on with it.
    pub(super) fn is_continued_by(&self, payload_type: u8, rtp_time: u32) -> bool {
        self.format.payload_type == payload_type && self.rtp_time == rtp_time
    }

    pub(super) fn is_intact(&self) -> bool {
        self.is_intact
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) fn is_key(&self) -> bool {
        self.kind == FrameKind::Key
    }

    /// Whether it is known what kind of frame it is.
    pub(super) fn is_decided(&self) -> bool {
        self.kind != FrameKind::Undecided
    }

    pub(super) fn push(&mut self, queued: Queued) {
        let packet = queued.packet;
        if self.payloads.is_empty() {
            self.pending_since = packet.arrived;
        }
        self.packets += 1;
        self.bytes += packet.payload.len();
        if self.packets > MAX_PACKETS_PER_FRAME || self.bytes > MAX_ACCESS_UNIT_BYTES {
            self.damage();
        }
        if !self.is_intact {
            return;
        }
        // One packet of the frame that says so is enough: parameter sets go ahead of the picture.
        match frame_kind(self.format.codec, &packet.payload) {
            FrameKind::Key => self.kind = FrameKind::Key,
            FrameKind::Other if self.kind == FrameKind::Undecided => self.kind = FrameKind::Other,
            FrameKind::Other | FrameKind::Undecided => {}
        }
        self.orientation = packet.orientation.or(self.orientation);
        self.captured = self.captured.or(packet.captured);
        self.payloads.push(packet.payload);
        self.dependency_descriptors
            .push(packet.dependency_descriptor);
    }

    /// Something of it is missing: nothing of it goes on any more.
    pub(super) fn damage(&mut self) {
        self.is_intact = false;
        self.payloads.clear();
        self.dependency_descriptors.clear();
    }

    /// When a part of it is to go on that may be held for so long. Its last packet is held until it is known whether the unit
    /// ends with it.
    pub(super) fn part_is_due_at(&self, hold_at_most: Duration) -> Option<Instant> {
        let has_part = self.is_intact && self.payloads.len() > 1;
        let due = self.pending_since.checked_add(hold_at_most);
        due.filter(|_| has_part)
    }

    /// What of it did not go on, but for the last packet.
    pub(super) fn take_part(&mut self, now: Instant) -> Option<AccessUnit> {
        let last = self.payloads.pop()?;
        let last_descriptor = self.dependency_descriptors.pop()?;
        let part = self.take(false);
        self.pending_since = now;
        self.payloads.push(last);
        self.dependency_descriptors.push(last_descriptor);
        Some(part)
    }

    /// What of it did not go on; it ends with that.
    pub(super) fn finish(mut self) -> AccessUnit {
        self.take(true)
    }

    fn take(&mut self, ends: bool) -> AccessUnit {
        AccessUnit {
            frame: Frame {
                rendition: self.format.rendition,
                rtp_time: self.rtp_time,
                wall_clock: self.captured_at,
                key: self.is_key(),
                temporal_layer: self.temporal_layer,
                packets: std::mem::take(&mut self.payloads),
            },
            begins: !std::mem::replace(&mut self.has_begun, true),
            ends,
            ssrc: self.ssrc,
            orientation: self.orientation,
            captured: self.captured.take(),
            dependency_descriptors: std::mem::take(&mut self.dependency_descriptors),
        }
    }
}
