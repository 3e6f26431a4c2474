//! What a session counts.
//!
//! For a packet, numbers are added to and nothing else; what the viewer reports and what rates are made of
//! is taken every tenth of a second. Names of W3C's "Identifiers for
//! WebRTC's Statistics API" stand in brackets where there is one.

use std::time::Duration;

use str0m::net::Transmit;
use str0m::stats::{MediaEgressStats, PeerStats};

use super::Session;
use super::candidate_pair::CandidatePair;
use crate::ids::{Bitrate, RenditionId, StreamId};
use crate::rtp::DatagramKind;

/// The fixed header of an RTP packet (RFC 3550, section 5.1).
const RTP_HEADER_BYTES: usize = 12;

/// The RTP clock of all video, in Hz (RFC 3551, section 5).
pub(super) const VIDEO_CLOCK: u32 = 90_000;

/// What a session did and heard since it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionStatistics {
    /// RTP packets sent, those sent again and padding included.
    pub packets_sent: u64,
    /// Bytes of these packets, with their RTP headers and their encryption, without UDP and IP.
    pub bytes_sent: u64,
    /// The same in bit/s, over the last second.
    pub bitrate: Bitrate,
    /// RTP packets sent again (RFC 4588), because the viewer asked or to probe the path.
    pub packets_resent: u64,
    /// Bytes of these.
    pub bytes_resent: u64,
    /// Datagrams of the viewer that were taken.
    pub datagrams_received: u64,
    /// Datagrams of the viewer that were thrown away because it sent more than it may: see
    /// [`VIEWER_WORK_PER_SECOND`](crate::engine::VIEWER_WORK_PER_SECOND). Counted by the engine.
    pub datagrams_over_limit: u64,
    /// Candidates of the viewer that are not used, since they are more than
    /// [`MAX_CANDIDATES`](super::MAX_CANDIDATES).
    pub candidates_ignored: u64,
    /// Connectivity checks that were not sent, since nobody had answered there and they were too many: see
    /// [`VIEWER_CHECKS_AT_ONCE`](crate::engine::VIEWER_CHECKS_AT_ONCE). Counted by the engine.
    pub checks_withheld: u64,
    /// Frames of all streams that went out.
    pub frames_sent: u64,
    /// Frames of all streams that were meant for the viewer and did not go out.
    pub frames_dropped: u64,
    /// Key frames of video that went out.
    pub key_frames_sent: u64,
    /// How often the viewer asked for a key frame: PLI and FIR.
    pub key_frames_asked: u64,
    /// How often the viewer asked for packets again.
    pub nacks: u64,
    /// The time to the viewer and back, as last measured.
    pub round_trip: Option<Duration>,
    /// The share of packets lost, from 0 to 1, as last measured.
    pub fraction_lost: Option<f32>,
    /// What the path can take in bit/s, as last estimated (`availableOutgoingBitrate`).
    pub estimate: Option<Bitrate>,
    /// From the making of the session until media could flow.
    pub connected_after: Option<Duration>,
    /// From the making of the session until the first frame of any stream went out.
    pub first_frame_after: Option<Duration>,
    /// The path that datagrams go by; none before one was found.
    pub candidate_pair: Option<CandidatePair>,
    /// Each stream that was offered, in the order of the description.
    pub streams: Vec<StreamStatistics>,
}

/// What a session did and heard of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamStatistics {
    /// The sender's number for it.
    pub stream: StreamId,
    /// What the viewer gets; none if it takes nothing of this stream, or has not answered.
    pub rendition: Option<RenditionId>,
    /// What it will get from the next key frame of that on, if it changes.
    pub next_rendition: Option<RenditionId>,
    /// The RTP payload type of the rendition's codec in this session.
    pub payload_type: Option<u8>,
    /// The source of its packets (`ssrc`, RFC 3550).
    pub ssrc: Option<u32>,
    /// The source of its packets that are sent again (`rtxSsrc`, RFC 4588).
    pub rtx_ssrc: Option<u32>,
    /// RTP packets sent, those sent again and padding included (`packetsSent`).
    pub packets_sent: u64,
    /// Bytes of these packets, with their RTP headers and their encryption, without UDP and IP.
    pub bytes_sent: u64,
    /// Bytes of RTP payloads, those sent again included, without padding (`bytesSent`).
    pub payload_bytes_sent: u64,
    /// `bytes_sent` in bit/s, over the last second.
    pub bitrate: Bitrate,
    /// RTP packets sent again (`retransmittedPacketsSent`).
    pub packets_resent: u64,
    /// Bytes of these, counted as `bytes_sent`.
    pub bytes_resent: u64,
    /// How often the viewer asked for packets again (`nackCount`, RFC 4585).
    pub nacks: u64,
    /// How often the viewer asked for a key frame because a picture was lost (`pliCount`, RFC 4585).
    pub picture_losses: u64,
    /// How often the viewer asked for a key frame to begin with (`firCount`, RFC 5104).
    pub full_intra_requests: u64,
    /// Frames that went out (`framesSent`).
    pub frames_sent: u64,
    /// Key frames of video that went out (`keyFramesEncoded`, but they were encoded for all viewers).
    pub key_frames_sent: u64,
    /// Frames that were meant for the viewer and did not go out.
    pub frames_dropped: u64,
    /// Frames that wait because the path does not take them yet.
    pub frames_waiting: usize,
    /// How much time the frames stand for that wait.
    pub wait: Duration,
    /// From the making of the session until the first frame went out.
    pub first_frame_after: Option<Duration>,
    /// The time to the viewer and back, by its last report on this stream (`roundTripTime`).
    pub round_trip: Option<Duration>,
    /// The share of packets lost, from 0 to 1, by its last report on this stream (`fractionLost`).
    pub fraction_lost: Option<f32>,
    /// Packets lost in all, by its last report on this stream (`packetsLost`).
    pub packets_lost: Option<u64>,
    /// How unevenly packets arrive, by its last report on this stream (`jitter`, RFC 3550, section 6.4.1).
    pub jitter: Option<Duration>,
}

/// An RTP packet on its way to the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentPacket {
    pub(super) ssrc: u32,
    /// With its header and its encryption.
    bytes: u64,
    is_padded: bool,
}

impl SessionStatistics {
    /// Counts a datagram on its way to the viewer; returns what it is if it is media.
    pub(super) fn count_sent(&mut self, transmit: &Transmit) -> Option<SentPacket> {
        let (ssrc, is_padded) = read_rtp(&transmit.contents)?;
        let bytes = transmit.contents.len() as u64;
        self.packets_sent += 1;
        self.bytes_sent += bytes;
        Some(SentPacket {
            ssrc,
            bytes,
            is_padded,
        })
    }

    fn on_path_measured(&mut self, stats: &PeerStats) {
        let checked = stats.selected_candidate_pair.as_ref();
        let checked = checked.and_then(|pair| pair.current_round_trip_time);
        self.round_trip = stats.rtt.or(checked).or(self.round_trip);
        self.fraction_lost = stats.egress_loss_fraction.or(self.fraction_lost);
    }

    /// Of viewers without feedback on the whole transport, reports on one stream tell as much.
    pub(super) fn on_stream_measured(&mut self, stats: &MediaEgressStats, transport: bool) {
        if !transport {
            self.fraction_lost = stats.loss.or(self.fraction_lost);
        }
        self.round_trip = stats.rtt.or(self.round_trip);
    }

    /// These, with what is counted by stream.
    pub(super) fn with_streams(&self, streams: Vec<StreamStatistics>) -> Self {
        let sum = |count: fn(&StreamStatistics) -> u64| streams.iter().map(count).sum();
        let first_frames = streams.iter().filter_map(|stream| stream.first_frame_after);
        Self {
            packets_resent: sum(|stream| stream.packets_resent),
            bytes_resent: sum(|stream| stream.bytes_resent),
            frames_sent: sum(|stream| stream.frames_sent),
            frames_dropped: sum(|stream| stream.frames_dropped),
            key_frames_sent: sum(|stream| stream.key_frames_sent),
            key_frames_asked: sum(StreamStatistics::key_frames_asked),
            nacks: sum(|stream| stream.nacks),
            first_frame_after: first_frames.min(),
            streams,
            ..self.clone()
        }
    }
}

impl Session {
    /// Takes what was measured of the path, which str0m says several times in a second.
    pub(super) fn count_measured(&mut self, stats: &PeerStats) {
        self.statistics.on_path_measured(stats);
        let pair = stats.selected_candidate_pair.as_ref();
        self.statistics.candidate_pair = pair.map(|pair| self.remote_candidates.describe(pair));
        self.rate.mark(self.statistics.bytes_sent, self.now);
        let Some(rtc) = &mut self.rtc else {
            return;
        };
        for track in &mut self.tracks {
            track.mark_rate(rtc, self.now);
        }
    }
}

impl StreamStatistics {
    pub(super) fn new(stream: StreamId) -> Self {
        Self {
            stream,
            rendition: None,
            next_rendition: None,
            payload_type: None,
            ssrc: None,
            rtx_ssrc: None,
            packets_sent: 0,
            bytes_sent: 0,
            payload_bytes_sent: 0,
            bitrate: 0,
            packets_resent: 0,
            bytes_resent: 0,
            nacks: 0,
            picture_losses: 0,
            full_intra_requests: 0,
            frames_sent: 0,
            key_frames_sent: 0,
            frames_dropped: 0,
            frames_waiting: 0,
            wait: Duration::ZERO,
            first_frame_after: None,
            round_trip: None,
            fraction_lost: None,
            packets_lost: None,
            jitter: None,
        }
    }

    /// How often the viewer asked for a key frame: PLI and FIR.
    pub fn key_frames_asked(&self) -> u64 {
        self.picture_losses + self.full_intra_requests
    }

    /// Counts a packet if it is of this stream.
    pub(super) fn count_sent(&mut self, packet: &SentPacket) {
        let is_resend = self.rtx_ssrc == Some(packet.ssrc);
        if !is_resend && self.ssrc != Some(packet.ssrc) {
            return;
        }
        self.packets_sent += 1;
        self.bytes_sent += packet.bytes;
        // Packets of nothing but padding go by the same source.
        if is_resend && !packet.is_padded {
            self.packets_resent += 1;
            self.bytes_resent += packet.bytes;
        }
    }

    /// Takes what the viewer reported; `clock` is the codec's, in Hz.
    pub(super) fn on_measured(&mut self, stats: &MediaEgressStats, clock: u32) {
        self.payload_bytes_sent = stats.bytes;
        self.nacks = stats.nacks;
        self.picture_losses = stats.plis;
        self.full_intra_requests = stats.firs;
        self.round_trip = stats.rtt.or(self.round_trip);
        self.fraction_lost = stats.loss.or(self.fraction_lost);
        if let Some(remote) = &stats.remote {
            let jitter = f64::from(remote.jitter) / f64::from(clock);
            self.jitter = Some(Duration::from_secs_f64(jitter));
            self.packets_lost = Some(remote.packets_lost);
        }
    }
}

/// The source of an RTP packet, and whether it ends in padding; none for what is not RTP.
fn read_rtp(datagram: &[u8]) -> Option<(u32, bool)> {
    let header = datagram.get(..RTP_HEADER_BYTES)?;
    if DatagramKind::of(datagram) != DatagramKind::Rtp {
        return None;
    }
    let ssrc = header[8..12].try_into().ok()?;
    Some((u32::from_be_bytes(ssrc), header[0] & 0x20 != 0))
}

#[cfg(test)]
mod tests {
    use str0m::net::Protocol;

    use super::*;

    fn sent(contents: Vec<u8>) -> Transmit {
        let address = ([127, 0, 0, 1], 5_000).into();
        Transmit {
            proto: Protocol::Udp,
            source: address,
            destination: address,
            contents: contents.into(),
        }
    }

    fn packet(first: u8, second: u8, ssrc: u32) -> Transmit {
        let mut packet = vec![first, second, 0, 1, 0, 0, 0, 2];
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0; 88]);
        sent(packet)
    }

    #[test]
    fn only_media_is_counted_and_resends_are_told_apart() {
        let mut statistics = SessionStatistics::default();
        let mut streams = [0, 1].map(|stream| StreamStatistics::new(StreamId(stream)));
        streams[0].ssrc = Some(1);
        streams[0].rtx_ssrc = Some(2);
        streams[1].ssrc = Some(3);
        let datagrams = [
            packet(0x80, 96, 1),
            packet(0x80, 96 | 0x80, 1),
            packet(0x80, 97, 2),
            packet(0xa0, 97, 2),
            packet(0x80, 98, 3),
            // A sender report, a STUN request, a DTLS record, and too little of anything.
            packet(0x80, 200, 1),
            packet(0x00, 1, 1),
            packet(22, 254, 1),
            sent(vec![0x80; 5]),
        ];
        for datagram in &datagrams {
            if let Some(packet) = statistics.count_sent(datagram) {
                for stream in &mut streams {
                    stream.count_sent(&packet);
                }
            }
        }
        let of_streams = streams
            .each_ref()
            .map(|stream| (stream.packets_sent, stream.bytes_sent));
        assert_eq!(of_streams, [(4, 400), (1, 100)]);
        let SessionStatistics {
            packets_sent,
            bytes_sent,
            packets_resent,
            bytes_resent,
            ..
        } = statistics.with_streams(streams.to_vec());
        assert_eq!((packets_sent, bytes_sent), (5, 500));
        assert_eq!((packets_resent, bytes_resent), (1, 100));
    }
}
