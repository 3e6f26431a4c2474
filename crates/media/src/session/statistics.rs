//! What a session counts.

use std::time::Duration;

use str0m::net::Transmit;
use str0m::rtp::Ssrc;
use str0m::stats::{MediaEgressStats, PeerStats};

use crate::demand::Bitrate;

/// The fixed header of an RTP packet (RFC 3550, section 5.1).
const RTP_HEADER_BYTES: usize = 12;

/// What a session did and heard since it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionStatistics {
    /// RTP packets sent, those sent again and padding included.
    pub packets_sent: u64,
    /// Bytes of these packets, with their RTP headers and their encryption, without UDP and IP.
    pub bytes_sent: u64,
    /// RTP packets sent again (RFC 4588), because the viewer asked or to probe the path.
    pub packets_resent: u64,
    /// Bytes of these.
    pub bytes_resent: u64,
    /// Datagrams of the viewer that were taken.
    pub datagrams_received: u64,
    /// Datagrams of the viewer that were thrown away because it sent more than it may: see
    /// [`VIEWER_WORK_PER_SECOND`](crate::engine::VIEWER_WORK_PER_SECOND). Counted by the engine.
    pub datagrams_over_limit: u64,
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
    /// What the path can take in bit/s, as last estimated.
    pub estimate: Option<Bitrate>,
    /// From the making of the session until media could flow.
    pub connected_after: Option<Duration>,
}

impl SessionStatistics {
    /// Counts a datagram on its way to the viewer; returns its source if it is media. `resends` are the
    /// streams of packets sent again.
    pub(super) fn count_sent(
        &mut self,
        transmit: &Transmit,
        mut resends: impl Iterator<Item = Ssrc>,
    ) -> Option<u32> {
        let (ssrc, padding) = read_rtp(&transmit.contents)?;
        let bytes = transmit.contents.len() as u64;
        self.packets_sent += 1;
        self.bytes_sent += bytes;
        let resent = resends.any(|resend| *resend == ssrc);
        // Packets of nothing but padding go by the same stream.
        if resent && !padding {
            self.packets_resent += 1;
            self.bytes_resent += bytes;
        }
        Some(ssrc)
    }

    pub(super) fn on_path_measured(&mut self, stats: &PeerStats) {
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
}

/// The source of an RTP packet, and whether it ends in padding; none for what is not RTP (RFC 7983,
/// and RFC 5761 for RTCP).
fn read_rtp(datagram: &[u8]) -> Option<(u32, bool)> {
    let header = datagram.get(..RTP_HEADER_BYTES)?;
    let is_rtcp = (192..=223).contains(&header[1]);
    if header[0] >> 6 != 2 || is_rtcp {
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
        let datagrams = [
            packet(0x80, 96, 1),
            packet(0x80, 96 | 0x80, 1),
            packet(0x80, 97, 2),
            packet(0xa0, 97, 2),
            // A sender report, a STUN request, a DTLS record, and too little of anything.
            packet(0x80, 200, 1),
            packet(0x00, 1, 1),
            packet(22, 254, 1),
            sent(vec![0x80; 5]),
        ];
        for datagram in &datagrams {
            statistics.count_sent(datagram, [Ssrc::from(2)].into_iter());
        }
        let SessionStatistics {
            packets_sent,
            bytes_sent,
            packets_resent,
            bytes_resent,
            ..
        } = statistics;
        assert_eq!((packets_sent, bytes_sent), (4, 400));
        assert_eq!((packets_resent, bytes_resent), (1, 100));
    }
}
