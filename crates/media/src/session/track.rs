//! One stream on its way to one viewer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::stats::MediaEgressStats;

use super::rtx_cache::RtxCache;
use super::statistics::{SentPacket, StreamStatistics, VIDEO_CLOCK};
use crate::congestion::estimate::LONG_WAIT;
use crate::congestion::pacer::Pacer;
use crate::congestion::rate::Rate;
use crate::demand::Handover;
use crate::frame::Frame;
use crate::frame_queue::FrameQueue;
use crate::ids::{RenditionId, StreamId};
use crate::negotiation::agreement::Agreement;
use crate::negotiation::config::SessionConfig;
use crate::negotiation::local_description::Sources;
use crate::rtp::extension_values::colour_space::ColourSpace;
use crate::rtp::extension_values::timing::Timing;

/// str0m gets packets while it has fewer than this of the stream: its own queue cannot be purged, ours can,
/// and it keeps the memory of the most that ever waited.
const FEW_PACKETS: usize = 8;

/// A key frame that was asked for and did not come is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_millis(500);

pub(super) struct Track {
    stream: StreamId,
    kind: MediaKind,
    /// The RTP clock of the codec agreed on, in Hz.
    clock: u32,
    /// The section, as str0m calls it.
    mid: Mid,
    sources: Sources,
    /// What the viewer takes, by the sender's numbers; the first was agreed on.
    accepted: Vec<(u32, Pt)>,
    /// What the samples of its pictures mean, by the sender's numbers of codecs.
    colour_spaces: Vec<(u32, ColourSpace)>,
    /// What the viewer gets; none before anything is agreed on.
    given: Option<RenditionId>,
    /// What it gets from the next key frame of that on.
    next: Option<(RenditionId, Handover)>,
    /// Changes with `given` and `next`.
    revision: u32,
    queue: FrameQueue,
    /// The frame that is on its way, and the packets of it that are not.
    sending: Option<Sending>,
    asked_at: Option<Instant>,
    /// Below 2^15 at the start: the viewer assumes that the rollover counter begins at 0.
    next_sequence: u64,
    /// The RTP time of the last frame that was sent.
    last_time: Option<u32>,
    /// Packets that wait in str0m, as far as is known.
    in_str0m: usize,
    /// When str0m last reported how many wait.
    reported_at: Option<Instant>,
    /// Whether the viewer takes packets that are sent again.
    takes_rtx: bool,
    /// How many can be, if any.
    rtx_cache: RtxCache,
    timing: Timing,
    /// What is counted; the rest is filled in for who asks.
    counted: StreamStatistics,
    rate: Rate,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It waits.
    Taken,
    /// There was no room for it.
    Dropped,
    /// It is not sent, and a key frame is to be asked for.
    KeyFrameNeeded,
    /// It is of a rendition that the viewer is not sent.
    PassedOver,
}

/// A frame on its way.
struct Sending {
    frame: Arc<Frame>,
    payload_type: Pt,
    /// Its RTP time for this viewer.
    time: u32,
    /// The packet that goes next.
    next: usize,
}

impl Track {
    pub(super) fn new(config: &SessionConfig, stream: StreamId, kind: MediaKind, mid: Mid) -> Self {
        let mut configs = config.streams.iter();
        let config_of_video =
            configs.find(|config| config.id == stream && kind == MediaKind::Video);
        let playout_delay = config_of_video.and_then(|config| config.playout_delay);
        let codecs = config_of_video.map_or(&[][..], |config| &config.codecs);
        let colour_spaces = codecs
            .iter()
            .filter_map(|codec| Some((codec.number, codec.colour_space?)));
        Self {
            stream,
            kind,
            clock: VIDEO_CLOCK,
            mid,
            sources: Sources::default(),
            accepted: Vec::new(),
            colour_spaces: colour_spaces.collect(),
            given: None,
            next: None,
            revision: 0,
            queue: FrameQueue::new(config.max_wait),
            sending: None,
            asked_at: None,
            next_sequence: 1,
            last_time: None,
            in_str0m: 0,
            reported_at: None,
            takes_rtx: false,
            rtx_cache: RtxCache::new(false),
            timing: Timing::new(playout_delay, config.certificate.clock()),
            counted: StreamStatistics::new(stream),
            rate: Rate::default(),
        }
    }

    /// With the sources that descriptions name.
    pub(super) fn with_sources(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }

    pub(super) fn stream(&self) -> StreamId {
        self.stream
    }

    pub(super) fn sources(&self) -> Sources {
        self.sources
    }

    pub(super) fn mid(&self) -> Mid {
        self.mid
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The codec that was agreed on; none if the viewer takes nothing of this stream.
    pub(super) fn agreed(&self) -> Option<u32> {
        self.accepted.first().map(|(number, _)| *number)
    }

    /// The codecs that the viewer takes, the one that was agreed on first.
    pub(super) fn taken(&self) -> Vec<u32> {
        self.accepted.iter().map(|(number, _)| *number).collect()
    }

    /// What the viewer is sent.
    pub(super) fn given(&self) -> Option<RenditionId> {
        self.given
    }

    /// The renditions whose frames it takes: what the viewer is sent, and what it switches to.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = RenditionId> {
        let next = self.next.map(|(rendition, _)| rendition);
        self.given.into_iter().chain(next)
    }

    /// A number that changes with [`subscriptions`](Self::subscriptions).
    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    /// What was counted until now.
    pub(super) fn statistics(&self, now: Instant) -> StreamStatistics {
        let given = self.given;
        let payload_type = given.and_then(|given| self.payload_type(given.codec));
        StreamStatistics {
            rendition: given,
            next_rendition: self.next.map(|(rendition, _)| rendition),
            payload_type: payload_type.map(|payload_type| *payload_type),
            bitrate: self.rate.bitrate(self.counted.bytes_sent, now),
            frames_dropped: self.queue.dropped(),
            frames_waiting: self.queue.len(),
            wait: self.queue.wait(),
            ..self.counted.clone()
        }
    }

    /// How much time the frames stand for that wait for this viewer.
    pub(super) fn wait(&self) -> Duration {
        self.queue.wait()
    }

    /// Whether the viewer takes packets that are sent again.
    pub(super) fn takes_rtx(&self) -> bool {
        self.takes_rtx
    }

    /// Whether a frame is on its way of which packets still wait.
    pub(super) fn has_begun(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether a frame waits.
    pub(super) fn waits(&self) -> bool {
        self.sending.is_some() || !self.queue.is_empty()
    }

    /// Takes what the viewer takes; the first is agreed on.
    pub(super) fn accept(&mut self, agreement: &Agreement) {
        self.accepted = agreement.payload_types();
        self.takes_rtx = agreement.takes_rtx();
        if let Some(codec) = agreement.codec() {
            self.clock = codec.clock();
        }
        self.revision = self.revision.wrapping_add(1);
        let is_taken = |rendition: &RenditionId| self.payload_type(rendition.codec).is_some();
        let next = self.next.filter(|(next, _)| is_taken(next));
        let given = self.given.filter(is_taken);
        self.next = next;
        self.given = given.or_else(|| {
            self.agreed().map(|codec| RenditionId {
                stream: self.stream,
                codec,
                level: 0,
            })
        });
    }

    /// Takes that nothing of it is sent any more.
    pub(super) fn stop(&mut self) {
        self.accepted.clear();
        self.given = None;
        self.next = None;
        self.revision = self.revision.wrapping_add(1);
        self.clear();
    }

    /// Whether this is what the peer takes already.
    pub(super) fn has_accepted(&self, agreement: &Agreement) -> bool {
        self.accepted == agreement.payload_types()
    }

    /// Whether the stream is declared.
    pub(super) fn is_prepared(&self) -> bool {
        self.counted.ssrc.is_some()
    }

    /// Declares the stream, whose section is declared.
    pub(super) fn prepare(&mut self, rtc: &mut Rtc, retransmission: bool) {
        let media = Ssrc::from(self.sources.media);
        let rtx = self.takes_rtx.then(|| Ssrc::from(self.sources.rtx));
        let mut direct = rtc.direct_api();
        let stream = direct.declare_stream_tx(media, rtx, self.mid, None);
        // Packets were paced before.
        stream.set_unpaced(true);
        self.rtx_cache = RtxCache::new(retransmission);
        self.rtx_cache.prepare(stream);
        self.counted.ssrc = Some(self.sources.media);
        self.counted.rtx_ssrc = rtx.map(|ssrc| *ssrc);
    }

    /// Changes to another rendition; true if a key frame of it is to be asked for.
    ///
    /// The viewer sees the old one until the first key frame of the new: only when it cannot take the
    /// old one in time, and the new one is smaller, the old one stops at once.
    pub(super) fn give(
        &mut self,
        rendition: RenditionId,
        handover: Handover,
        now: Instant,
    ) -> bool {
        let Some(given) = self.given else {
            return false;
        };
        self.revision = self.revision.wrapping_add(1);
        if rendition == given {
            self.next = None;
            return false;
        }
        let can_be_sent = self.payload_type(rendition.codec).is_some();
        let next = (rendition, handover);
        if rendition.stream != self.stream || !can_be_sent || self.next == Some(next) {
            return false;
        }
        if handover == Handover::AwaitKeyFrame {
            self.next = Some(next);
            return false;
        }
        let down = rendition.codec == given.codec && rendition.level < given.level;
        if down && self.wait() > LONG_WAIT {
            self.clear();
            self.given = Some(rendition);
            self.next = None;
        } else {
            self.next = Some(next);
        }
        self.asked_at = Some(now);
        true
    }

    /// Lets a frame wait if the viewer gets its rendition.
    pub(super) fn push(&mut self, frame: &Arc<Frame>, now: Instant) -> Pushed {
        match self.next {
            Some((next, handover)) if next == frame.rendition => {
                if !frame.key {
                    let asks = handover == Handover::AskForKeyFrame && self.may_ask(now);
                    return match asks {
                        true => Pushed::KeyFrameNeeded,
                        false => Pushed::PassedOver,
                    };
                }
                self.given = Some(next);
                self.next = None;
                self.revision = self.revision.wrapping_add(1);
            }
            _ => {}
        }
        if self.given != Some(frame.rendition) {
            return Pushed::PassedOver;
        }
        if self.queue.push(Arc::clone(frame)) {
            if frame.key && self.next.is_none() {
                self.asked_at = None;
            }
            return Pushed::Taken;
        }
        match self.may_ask(now) {
            true => Pushed::KeyFrameNeeded,
            false => Pushed::Dropped,
        }
    }

    /// A key frame is asked for at once, and then only now and then until it comes.
    pub(super) fn may_ask(&mut self, now: Instant) -> bool {
        let due = self
            .asked_at
            .is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_AGAIN);
        if due {
            self.asked_at = Some(now);
        }
        due
    }

    pub(super) fn clear(&mut self) {
        self.sending = None;
        self.queue.clear();
    }

    /// Hands the next packets to str0m, as many of one frame as may go out now; returns itself if there were any.
    pub(super) fn write(
        &mut self,
        rtc: &mut Rtc,
        pacer: &mut Pacer,
        age: Duration,
        now: Instant,
    ) -> Option<&Self> {
        let video = self.kind == MediaKind::Video;
        if !self.waits() || video && !pacer.may_send(now) {
            return None;
        }
        let mut direct = rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mid, None)?;
        if let Some(info) = stream.queue_info()
            && self.reported_at != Some(info.created_at())
        {
            self.reported_at = Some(info.created_at());
            self.in_str0m = self.in_str0m.min(info.packet_count());
        }
        if self.in_str0m >= FEW_PACKETS {
            return None;
        }
        let mut sending = match self.sending.take() {
            Some(begun) => begun,
            None => self.begin_frame(age)?,
        };
        let frame = &sending.frame;
        let last = frame.packets.len().saturating_sub(1);
        let is_resent = video && self.takes_rtx && self.counted.rtx_ssrc.is_some();
        while let Some(payload) = frame.packets.get(sending.next)
            && self.in_str0m < FEW_PACKETS
            && (!video || pacer.may_send(now))
        {
            let packet = RtpWrite::new(
                sending.payload_type,
                self.next_sequence.into(),
                sending.time,
                frame.wall_clock,
                Arc::clone(payload),
            );
            let marker = video && sending.next == last;
            let mut packet = packet.marker(marker).nackable(is_resent);
            let mut values = match sending.next {
                0 => Some(self.timing.of_frame(frame.wall_clock, now)),
                _ => None,
            };
            if marker
                && frame.key
                && let Some((_, colour_space)) = self
                    .colour_spaces
                    .iter()
                    .find(|(codec, _)| *codec == frame.rendition.codec)
            {
                let values = values.get_or_insert_default();
                values.user_values.set(*colour_space);
            }
            if let Some(values) = values {
                packet = packet.ext_vals(values);
            }
            stream.write_rtp(packet);
            self.next_sequence += 1;
            self.in_str0m += 1;
            sending.next += 1;
            if video {
                pacer.on_sent(payload.len(), now);
            }
        }
        if sending.next < sending.frame.packets.len() {
            self.sending = Some(sending);
        }
        Some(self)
    }

    /// Takes the frame whose turn it is.
    fn begin_frame(&mut self, age: Duration) -> Option<Sending> {
        let frame = self.queue.pop()?;
        let payload_type = self.payload_type(frame.rendition.codec)?;
        let time = time_after(self.last_time, frame.rtp_time);
        self.last_time = Some(time);
        self.counted.frames_sent += 1;
        let is_key = self.kind == MediaKind::Video && frame.key;
        self.counted.key_frames_sent += u64::from(is_key);
        self.counted.first_frame_after.get_or_insert(age);
        Some(Sending {
            frame,
            payload_type,
            time,
            next: 0,
        })
    }

    /// A packet went out, of this stream or another.
    pub(super) fn on_sent(&mut self, packet: &SentPacket) {
        if self.counted.ssrc == Some(packet.ssrc) {
            self.in_str0m = self.in_str0m.saturating_sub(1);
        }
        self.counted.count_sent(packet);
    }

    /// Takes what the viewer reported.
    pub(super) fn on_measured(&mut self, stats: &MediaEgressStats) {
        self.counted.on_measured(stats, self.clock);
    }

    /// Looks at what was sent, several times in a second.
    pub(super) fn mark_rate(&mut self, rtc: &mut Rtc, now: Instant) {
        self.rate.mark(self.counted.bytes_sent, now);
        let rate = self.rate.bitrate(self.counted.bytes_sent, now);
        if self.rtx_cache.follow(rate, now)
            && let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None)
        {
            self.rtx_cache.prepare(stream);
        }
    }

    fn payload_type(&self, codec: u32) -> Option<Pt> {
        let accepted = self.accepted.iter().find(|(number, _)| *number == codec);
        accepted.map(|(_, payload_type)| *payload_type)
    }
}

/// The RTP time of a frame after the last one: that of another rendition may be of the same moment or a
/// little before, which a viewer would take for the same frame.
fn time_after(last: Option<u32>, time: u32) -> u32 {
    /// A second of video.
    const LITTLE: u32 = 90_000;
    match last {
        Some(last) if last.wrapping_sub(time) < LITTLE => last.wrapping_add(1),
        _ => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_across_renditions() {
        assert_eq!(time_after(None, 7), 7);
        assert_eq!(time_after(Some(3_000), 6_000), 6_000);
        assert_eq!(time_after(Some(6_000), 6_000), 6_001);
        assert_eq!(time_after(Some(6_001), 6_000), 6_002);
        assert_eq!(time_after(Some(u32::MAX), 2_999), 2_999);
        assert_eq!(time_after(Some(2), u32::MAX), 3);
        assert_eq!(time_after(Some(500_000), 7), 7, "the sender began anew");
    }
}
