//! From the packets that come of a track to frames, so that what was received can be published again.
//!
//! # Contract
//!
//! * The owner hands in the packets of one track as they come ([`handle_packet`](AccessUnits::handle_packet)), each with the time
//!   when it was captured ([`CaptureClock`](super::capture_clock::CaptureClock)), and calls
//!   [`handle_timeout`](AccessUnits::handle_timeout) at [`poll_timeout`](AccessUnits::poll_timeout).
//! * After any call it takes all that [`poll_frame`](AccessUnits::poll_frame) and [`poll_event`](AccessUnits::poll_event) have.
//!   What it leaves is bounded by [`MAX_WAITING_UNITS`] and [`MAX_WAITING_EVENTS`].
//! * Frames come in the order in which they were sent, and each that comes can be decoded: after packets were lost the next frame
//!   of video is a key frame, which the owner requests when [`AccessUnitEvent::KeyFrameNeeded`] says so. Frames of audio stand for
//!   themselves.
//! * Packets are in one frame if they have one RTP time, up to the marker bit (RFC 3550, section 5.1; for audio, where it means
//!   something else, each packet is a frame).

mod beginning;
mod open_unit;
mod reordering;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beginning::begins_access_unit;
use open_unit::OpenUnit;
pub use reordering::{
    MAX_WAITING_BYTES, MAX_WAITING_PACKETS, RESTART_DISTANCE, SOURCE_CHANGE_TIME,
};
use reordering::{Queued, Reordering, Step};

use super::received_packet::{CaptureTime, ReceivedPacket};
use crate::frame::Frame;
use crate::ids::RenditionId;
use crate::session::Codec;

/// Frames that wait for the owner, at most: as many as a gap can have held back. One more is dropped like one that was lost.
pub const MAX_WAITING_UNITS: usize = MAX_WAITING_PACKETS + 1;

/// Events that wait for the owner, at most. Beyond that the oldest are dropped.
pub const MAX_WAITING_EVENTS: usize = 64;

/// How often a key frame is asked for that does not come.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// How frames are put together.
#[derive(Clone, Debug)]
pub struct AccessUnitsConfig {
    /// What packets may be in. Those of other payload types are no part of any frame.
    pub formats: Vec<UnitFormat>,
    /// How long packets wait for one that is missing: for as long as it may take to be sent a second time.
    pub patience: Duration,
    /// How much of a frame goes on at once.
    pub delivery: Delivery,
}

/// A format of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitFormat {
    /// The payload type of its packets.
    pub payload_type: u8,
    /// Its codec.
    pub codec: Codec,
    /// What its frames are of, when they are published.
    pub rendition: RenditionId,
}

/// How much of a frame goes on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All of it, once it is complete.
    Whole,
    /// What there is of it, in parts: a packet waits no longer than this for others, but until its successor came, without which
    /// nobody knows whether it is the last.
    InParts {
        /// How long a packet waits for others that go on together with it.
        hold_at_most: Duration,
    },
}

/// A frame, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
    /// It, with at least one packet.
    pub frame: Frame,
    /// Whether it begins the frame.
    pub begins: bool,
    /// Whether it ends the frame.
    pub ends: bool,
    /// The source of its packets.
    pub ssrc: u32,
    /// By how many degrees clockwise the camera is rotated, if that is said.
    pub orientation: Option<u16>,
    /// When it was captured by the clock of who captured it, if that is said.
    pub captured: Option<CaptureTime>,
    /// Of each of its packets.
    pub dependency_descriptors: Vec<Option<Arc<[u8]>>>,
}

/// What happened beside frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessUnitEvent {
    /// Packets did not come in time, or a frame exceeded what one may have. Whatever it was is gone.
    Lost {
        /// How many packets are missing.
        packets: u64,
        /// Whether a frame is cut of which parts went on: no part of it follows.
        is_cut: bool,
    },
    /// Nothing goes on before a key frame comes, which is to be requested.
    KeyFrameNeeded,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessUnitStatistics {
    /// Frames that went on.
    pub units: u64,
    /// Frames that came and did not go on: packets of them are missing, they were too large, or they need a frame that is.
    pub units_dropped: u64,
    /// Packets that did not come in time.
    pub packets_lost: u64,
    /// Packets that came too late, or twice.
    pub packets_late: u64,
}

/// Puts the packets of one track together to frames.
#[derive(Debug)]
pub struct AccessUnits {
    formats: Vec<UnitFormat>,
    delivery: Delivery,
    reordering: Reordering,
    open: Option<OpenUnit>,
    /// The payload type of the last unit that was begun.
    payload_type: Option<u8>,
    /// Whether nobody knows what stood in front of the packet that comes next.
    after_gap: bool,
    needs_key_frame: bool,
    key_frame_asked_at: Option<Instant>,
    now: Option<Instant>,
    ready: VecDeque<AccessUnit>,
    events: VecDeque<AccessUnitEvent>,
    counted: AccessUnitStatistics,
}

impl AccessUnits {
    /// One to which no packet came.
    pub fn new(config: AccessUnitsConfig) -> Self {
        Self {
            formats: config.formats,
            delivery: config.delivery,
            reordering: Reordering::new(config.patience),
            open: None,
            payload_type: None,
            after_gap: true,
            needs_key_frame: true,
            key_frame_asked_at: None,
            now: None,
            ready: VecDeque::new(),
            events: VecDeque::new(),
            counted: AccessUnitStatistics::default(),
        }
    }

    /// What was counted until now.
    pub fn statistics(&self) -> AccessUnitStatistics {
        AccessUnitStatistics {
            packets_late: self.reordering.late(),
            ..self.counted
        }
    }

    /// Takes a packet, and when it was captured by our clock.
    pub fn handle_packet(&mut self, packet: ReceivedPacket, captured: Instant) {
        let now = packet.arrived;
        self.reordering.handle_packet(Queued { packet, captured });
        self.handle_timeout(now);
    }

    /// Takes the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(Some(now));
        self.reordering.handle_timeout(now);
        while let Some(step) = self.reordering.poll_step() {
            match step {
                Step::Packet(queued) => self.take(queued),
                Step::Gap(packets) => {
                    let lost = self.counted.packets_lost.saturating_add(packets);
                    self.counted.packets_lost = lost;
                    self.lose(packets);
                    self.after_gap = true;
                }
                Step::Restart => {
                    if self.open.is_some() {
                        self.lose(0);
                        self.finish();
                    }
                    self.after_gap = true;
                    self.needs_key_frame = true;
                }
            }
        }
        self.deliver_part(now);
    }

    /// The next frame, or part of one.
    pub fn poll_frame(&mut self) -> Option<AccessUnit> {
        self.ready.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<AccessUnitEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let gap = self.reordering.poll_timeout();
        let part = match self.delivery {
            Delivery::Whole => None,
            Delivery::InParts { hold_at_most } => {
                let open = self.open.as_ref().filter(|open| self.may_deliver(open));
                open.and_then(|open| open.part_is_due_at(hold_at_most))
            }
        };
        gap.into_iter().chain(part).min()
    }

    /// Takes the packet that is next in order.
    fn take(&mut self, queued: Queued) {
        let packet = &queued.packet;
        // Padding, or what is no media, in the same sequence: nothing is lost.
        let known = self.formats.iter();
        let mut known = known.filter(|format| format.payload_type == packet.payload_type);
        let Some(format) = known.next().copied().filter(|_| !packet.payload.is_empty()) else {
            return;
        };
        let is_audio = is_audio(format.codec);
        let ends = is_audio || packet.marker;
        let continues = self
            .open
            .as_ref()
            .is_some_and(|open| open.is_continued_by(packet.payload_type, packet.timestamp));
        if !continues {
            self.finish();
            // Frames of one codec need none of another.
            let before = self.payload_type.replace(packet.payload_type);
            self.needs_key_frame |= before != Some(packet.payload_type);
            let is_first = !self.after_gap || begins_access_unit(format.codec, &packet.payload);
            self.open = Some(OpenUnit::new(format, &queued, is_first));
        }
        self.after_gap = false;
        if is_audio {
            self.needs_key_frame = false;
        }
        if let Some(open) = &mut self.open {
            let was_intact = open.is_intact();
            open.push(queued);
            if was_intact && !open.is_intact() {
                self.lose(0);
            }
        }
        if ends {
            self.finish();
        }
    }

    /// The open unit has all of its packets that will come.
    fn finish(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let needs_another = self.needs_key_frame && !open.is_key() && !open.has_begun();
        if !open.is_intact() || needs_another {
            self.counted.units_dropped += 1;
            self.needs_key_frame = true;
            return self.ask_for_key_frame();
        }
        self.push_unit(open.finish());
    }

    /// Something of the open unit is missing, or what stands behind it.
    fn lose(&mut self, packets: u64) {
        let open = self.open.as_mut();
        let is_cut = open.is_some_and(|open| {
            open.damage();
            open.has_begun()
        });
        self.push_event(AccessUnitEvent::Lost { packets, is_cut });
        self.needs_key_frame = true;
        self.ask_for_key_frame();
    }

    /// Lets go on what waited long enough.
    fn deliver_part(&mut self, now: Instant) {
        let Delivery::InParts { hold_at_most } = self.delivery else {
            return;
        };
        let Some(mut open) = self.open.take() else {
            return;
        };
        let due = open.part_is_due_at(hold_at_most);
        if self.may_deliver(&open) && due.is_some_and(|at| at <= now) {
            let part = open.take_part(now);
            part.into_iter().for_each(|part| self.push_unit(part));
        }
        self.open = Some(open);
    }

    /// Whether parts of a unit can go on: none before it is known whether it is a key frame, if one is needed.
    fn may_deliver(&self, open: &OpenUnit) -> bool {
        open.is_intact()
            && open.is_decided()
            && (open.is_key() || open.has_begun() || !self.needs_key_frame)
    }

    fn push_unit(&mut self, unit: AccessUnit) {
        if self.ready.len() >= MAX_WAITING_UNITS {
            self.counted.units_dropped += u64::from(unit.ends);
            self.needs_key_frame = true;
            return;
        }
        self.counted.units += u64::from(unit.ends);
        if unit.frame.key {
            self.needs_key_frame = false;
            self.key_frame_asked_at = None;
        }
        self.ready.push_back(unit);
    }

    /// Asks for one, unless all that comes stands for itself.
    fn ask_for_key_frame(&mut self) {
        if self.formats.iter().all(|format| is_audio(format.codec)) {
            return;
        }
        let now = self.now;
        let asked = self.key_frame_asked_at.zip(now);
        let is_due = asked
            .is_none_or(|(asked, now)| now.saturating_duration_since(asked) >= KEY_FRAME_INTERVAL);
        if is_due {
            self.key_frame_asked_at = now;
            self.push_event(AccessUnitEvent::KeyFrameNeeded);
        }
    }

    fn push_event(&mut self, event: AccessUnitEvent) {
        if self.events.len() >= MAX_WAITING_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

fn is_audio(codec: Codec) -> bool {
    matches!(codec, Codec::Opus | Codec::Pcmu | Codec::Pcma)
}

#[cfg(test)]
mod tests;
