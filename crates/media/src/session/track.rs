//! One stream on its way to one viewer.

use std::sync::Arc;
use std::time::Duration;

use str0m::Rtc;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::RtpWrite;

use super::config::StreamConfig;
use crate::demand::StreamId;
use crate::frame::Frame;
use crate::frame_queue::FrameQueue;

/// The library gets the next frame while it has fewer packets than this of the stream: its own queue
/// cannot be purged, ours can.
const FEW_PACKETS: usize = 8;

/// What can be sent again: enough for the round trips that make sense, and a fraction of the library's
/// default memory.
const RESEND_PACKETS: usize = 256;
const RESEND_AGE: Duration = Duration::from_millis(700);
/// At most this share of all bytes is spent on sending again (the library's default).
const RESEND_SHARE: f32 = 0.15;

pub(super) struct Track {
    stream: StreamConfig,
    mid: Mid,
    payload_type: Option<Pt>,
    queue: FrameQueue,
    /// Below 2^15 at the start: the viewer assumes that the rollover counter begins at 0.
    next_sequence: u64,
    /// Packets handed to the library since it last told how many wait.
    unreported: usize,
    reported_at: Option<std::time::Instant>,
}

impl Track {
    pub(super) fn new(stream: StreamConfig, mid: Mid, max_wait: Duration) -> Self {
        Self {
            stream,
            mid,
            payload_type: None,
            queue: FrameQueue::new(max_wait),
            next_sequence: 1,
            unreported: 0,
            reported_at: None,
        }
    }

    pub(super) fn stream(&self) -> StreamId {
        self.stream.id
    }

    pub(super) fn mid(&self) -> Mid {
        self.mid
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.stream.codec.kind()
    }

    /// Whether the viewer takes it.
    pub(super) fn is_accepted(&self) -> bool {
        self.payload_type.is_some()
    }

    pub(super) fn dropped_frames(&self) -> u64 {
        self.queue.dropped()
    }

    /// Reads what the answer made of the stream.
    pub(super) fn negotiated(&mut self, rtc: &mut Rtc) {
        let codec = self.stream.codec.of_library();
        self.payload_type = rtc.media(self.mid).and_then(|media| {
            if !media.direction().is_sending() {
                return None;
            }
            let known = rtc.codec_config().params();
            let agreed = |pt: &Pt| {
                known
                    .iter()
                    .any(|params| params.pt() == *pt && params.spec().codec == codec)
            };
            media.remote_pts().iter().copied().find(agreed)
        });
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(self.mid, None) {
            stream.set_rtx_cache(RESEND_PACKETS, RESEND_AGE, Some(RESEND_SHARE));
        }
    }

    /// Lets a frame wait; false if the viewer needs a key frame for that.
    pub(super) fn push(&mut self, frame: &Arc<Frame>) -> bool {
        self.queue.push(Arc::clone(frame))
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Hands the next frame to the library if it has room; true if it did.
    pub(super) fn write(&mut self, rtc: &mut Rtc) -> bool {
        let Some(payload_type) = self.payload_type else {
            return false;
        };
        let mut direct = rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(self.mid, None) else {
            return false;
        };
        let mut queued = self.unreported;
        if let Some(info) = stream.queue_info() {
            if self.reported_at != Some(info.created_at()) {
                self.reported_at = Some(info.created_at());
                self.unreported = 0;
                queued = 0;
            }
            queued += info.packet_count();
        }
        if queued >= FEW_PACKETS {
            return false;
        }
        let Some(frame) = self.queue.pop() else {
            return false;
        };
        let video = self.kind() == MediaKind::Video;
        let last = frame.packets.len().saturating_sub(1);
        for (number, payload) in frame.packets.iter().enumerate() {
            let packet = RtpWrite::new(
                payload_type,
                self.next_sequence.into(),
                frame.rtp_time,
                frame.wall_clock,
                Arc::clone(payload),
            );
            stream.write_rtp(packet.marker(video && number == last).nackable(video));
            self.next_sequence += 1;
        }
        self.unreported += frame.packets.len();
        true
    }
}
