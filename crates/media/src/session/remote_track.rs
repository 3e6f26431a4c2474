//! What a peer sends in one section, and its packets.

use std::sync::Arc;
use std::time::Duration;

use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Rtc, rtp};

use crate::codec::Codec;
use crate::ids::{Bitrate, StreamKind};
use crate::negotiation::received_section::ReceivedSection;
use crate::rtp::extension_values::dependency_descriptor::DependencyDescriptor;
pub use crate::rtp::{CaptureTime, ReceivedPacket, ReportedTime};
use crate::sdp::description::Section;

/// The most sources (SSRC) that a peer may name for a section.
const MAX_NAMED_SOURCES: usize = 8;

/// What a peer without transport-wide feedback is said to be able to send, in bit/s: str0m has no estimate of what comes, and
/// without a word from the receiver such a peer stays at its first rate.
pub const RECEIVED_BITRATE: Bitrate = 10_000_000;

/// How often that is said (draft-alvestrand-rmcat-remb, section 2.2: about once a second).
pub(super) const REMB_INTERVAL: Duration = Duration::from_secs(1);

/// A track that a peer sends, as both descriptions agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTrack {
    /// The name of its section (`a=mid`).
    pub mid: Arc<str>,
    /// What it carries.
    pub kind: StreamKind,
    /// The ids of its media stream and of the track itself (RFC 8830), if they are named.
    pub msid: Option<(String, String)>,
    /// What its packets may be in, the preferred first.
    pub formats: Vec<RemoteFormat>,
    /// The names of its encodings (`a=rid`), in the order of the description, if it is sent in several at once (simulcast).
    pub encodings: Vec<Arc<str>>,
}

/// A format of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFormat {
    /// The payload type of its packets.
    pub payload_type: u8,
    /// The codec; the profile is that of the configuration, not the peer's.
    pub codec: Codec,
    /// The encoding name, clock and channels as in `a=rtpmap`: `VP8/90000`.
    pub encoding: String,
    /// As in `a=fmtp`.
    pub parameters: Option<String>,
}

/// A track as a session knows it.
pub(super) struct TrackReceiver {
    /// The section, as str0m calls it.
    pub(super) mid: Mid,
    pub(super) track: RemoteTrack,
    /// One without a name, or those of simulcast.
    encodings: Vec<EncodingSources>,
    has_nack: bool,
    /// Whether the peer is sent [`RECEIVED_BITRATE`].
    pub(super) has_remb: bool,
    /// Payload types, and those of packets that are sent a second time.
    payload_types: Vec<(u8, Option<u8>)>,
}

/// Where the packets of one encoding come from.
#[derive(Clone, Debug, Default)]
struct EncodingSources {
    name: Option<Arc<str>>,
    /// The one of which a packet was decrypted last.
    media: Option<u32>,
    /// Of packets that are sent a second time, and whether the description names it.
    rtx: Option<(u32, bool)>,
}

impl TrackReceiver {
    pub(super) fn new(mid: Mid, name: &str, section: &Section, received: &ReceivedSection) -> Self {
        let formats = received.formats.iter().map(|it| RemoteFormat {
            payload_type: it.mapping.payload_type,
            codec: it.codec,
            encoding: it.format.encoding.clone(),
            parameters: it.format.parameters.clone(),
        });
        let mappings = received.formats.iter().map(|it| it.mapping);
        let names = received.encodings.iter().map(|name| Arc::from(&**name));
        let names: Vec<Arc<str>> = names.collect();
        Self {
            mid,
            track: RemoteTrack {
                mid: Arc::from(name),
                kind: match received.kind {
                    MediaKind::Video => StreamKind::Video,
                    MediaKind::Audio => StreamKind::Audio,
                },
                msid: section.value("msid").and_then(msid),
                formats: formats.collect(),
                encodings: names.clone(),
            },
            encodings: match names.is_empty() {
                true => vec![EncodingSources::default()],
                false => {
                    let names = names.into_iter().map(|name| EncodingSources {
                        name: Some(name),
                        ..EncodingSources::default()
                    });
                    names.collect()
                }
            },
            has_nack: received.has_nack(),
            has_remb: received.has_remb(),
            payload_types: mappings.map(|it| (it.payload_type, it.rtx)).collect(),
        }
    }

    /// Expects the sources that the peer names (RFC 5576), whose packets need not name their section, and returns them.
    pub(super) fn expect_named(&mut self, section: &Section, rtc: &mut Rtc) -> Vec<u32> {
        // Which is whose, packets say.
        let [encoding] = self.encodings.as_mut_slice() else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (source, rtx) in named_sources(section) {
            expect(self.mid, source, rtx, self.has_nack, rtc);
            encoding.rtx = rtx.map(|rtx| (rtx, true));
            named.push(source);
            named.extend(rtx);
        }
        named
    }

    /// The place of an encoding among those of the track; without a name, that of the only one.
    pub(super) fn encoding(&self, name: Option<&[u8]>) -> Option<usize> {
        if let ([_], None) = (self.encodings.as_slice(), name) {
            return Some(0);
        }
        let mut encodings = self.encodings.iter();
        encodings.position(|it| match (&it.name, name) {
            (Some(known), Some(name)) => known.as_bytes() == name,
            // It was named and has nothing to be told apart from.
            (None, Some(_)) => true,
            _ => false,
        })
    }

    /// Whether packets that are sent a second time are expected from this source.
    pub(super) fn has_rtx_source(&self, source: u32) -> bool {
        self.rtx_sources().any(|rtx| rtx == source)
    }

    /// The sources of packets that are sent a second time.
    pub(super) fn rtx_sources(&self) -> impl Iterator<Item = u32> {
        self.encodings.iter().filter_map(|it| Some(it.rtx?.0))
    }

    /// Expects packets of an encoding that are sent a second time from a source that nothing names; none if that cannot be.
    pub(super) fn expect_rtx(
        &mut self,
        encoding: usize,
        source: u32,
        payload_type: u8,
        rtc: &mut Rtc,
    ) -> Option<()> {
        let mut payload_types = self.payload_types.iter();
        payload_types.find(|(_, rtx)| *rtx == Some(payload_type))?;
        let encoding = self.encodings.get_mut(encoding)?;
        if matches!(encoding.rtx, Some((_, true))) {
            return None;
        }
        let media = encoding.media?;
        encoding.rtx = Some((source, false));
        expect(self.mid, media, Some(source), self.has_nack, rtc);
        Some(())
    }

    /// Expects packets of a source.
    pub(super) fn expect(&self, source: u32, rtc: &mut Rtc) {
        expect(self.mid, source, None, self.has_nack, rtc);
    }

    /// A packet of an encoding came from a source, and was authentic.
    pub(super) fn take_source(&mut self, encoding: usize, source: u32) {
        if let Some(encoding) = self.encodings.get_mut(encoding) {
            encoding.media = Some(source);
        }
    }

    /// The sources of all encodings from which something came.
    pub(super) fn sources(&self) -> impl Iterator<Item = u32> {
        self.encodings.iter().filter_map(|encoding| encoding.media)
    }

    /// Goes on with the sources of the same track by an agreement before.
    pub(super) fn go_on_from(&mut self, before: &Self) {
        for encoding in &mut self.encodings {
            let mut known = before.encodings.iter();
            if let Some(known) = known.find(|known| known.name == encoding.name) {
                encoding.clone_from(known);
            }
        }
    }

    /// Whether it may have packets of this payload type.
    pub(super) fn has_payload_type(&self, payload_type: u8) -> bool {
        let mut all = self.payload_types.iter();
        all.any(|it| it.0 == payload_type || it.1 == Some(payload_type))
    }

    /// Whether it may have packets of this payload type, not counting those that are sent a second time.
    pub(super) fn takes(&self, payload_type: u8) -> bool {
        self.payload_types.iter().any(|it| it.0 == payload_type)
    }

    /// A packet of an encoding of the track; none if it is in none of its formats.
    pub(super) fn packet(&self, encoding: usize, packet: RtpPacket) -> Option<ReceivedPacket> {
        let header = packet.header;
        let payload_type = self.media_payload_type(header.payload_type);
        if !self.takes(payload_type) {
            return None;
        }
        let values = header.ext_vals;
        Some(ReceivedPacket {
            mid: Arc::clone(&self.track.mid),
            rid: self.encodings.get(encoding).and_then(|it| it.name.clone()),
            ssrc: *header.ssrc,
            payload_type,
            sequence: *packet.seq_no,
            timestamp: header.timestamp,
            marker: header.marker,
            payload: packet.payload,
            arrived: packet.timestamp,
            orientation: values.video_orientation.map(|it| match it {
                rtp::VideoOrientation::Deg0 => 0,
                rtp::VideoOrientation::Deg90 => 90,
                rtp::VideoOrientation::Deg180 => 180,
                rtp::VideoOrientation::Deg270 => 270,
            }),
            captured: values.abs_capture_time.map(|it| CaptureTime {
                time: it.capture_time,
                clock_offset: it.clock_offset,
            }),
            dependency_descriptor: values
                .user_values
                .get::<DependencyDescriptor>()
                .map(|it| Arc::clone(&it.0)),
            sender_report: packet.last_sender_info.map(|info| ReportedTime {
                time: info.ntp_time,
                timestamp: info.rtp_time.numer() as u32,
            }),
        })
    }

    /// str0m leaves packets that were sent a second time the payload type under which they came.
    fn media_payload_type(&self, payload_type: Pt) -> u8 {
        let mut all = self.payload_types.iter();
        let of_rtx = all.find(|(_, rtx)| *rtx == Some(*payload_type));
        of_rtx.map_or(*payload_type, |(media, _)| *media)
    }
}

fn expect(mid: Mid, source: u32, rtx: Option<u32>, has_nack: bool, rtc: &mut Rtc) {
    let mut direct = rtc.direct_api();
    let rtx = rtx.map(Ssrc::from);
    let stream = direct.expect_stream_rx(Ssrc::from(source), rtx, mid, None);
    stream.suppress_nack(!has_nack);
}

/// The sources of media that a section names, each with that of packets which are sent a second time.
fn named_sources(section: &Section) -> Vec<(u32, Option<u32>)> {
    let mut sources: Vec<u32> = Vec::new();
    for value in section.values("ssrc") {
        let source = value.split_ascii_whitespace().next();
        let source = source.and_then(|source| source.parse().ok());
        if let Some(source) = source.filter(|source| *source != 0 && !sources.contains(source)) {
            sources.push(source);
        }
    }
    let pairs = section.values("ssrc-group").filter_map(|group| {
        let mut words = group.strip_prefix("FID ")?.split_ascii_whitespace();
        let mut number = || words.next()?.parse::<u32>().ok();
        Some((number()?, number()?))
    });
    let pairs: Vec<_> = pairs.collect();
    let is_rtx = |source: &u32| pairs.iter().any(|(_, rtx)| rtx == source);
    let media = sources.into_iter().filter(|source| !is_rtx(source));
    let with_rtx = media.map(|source| {
        let rtx = pairs.iter().find(|(media, _)| *media == source);
        (source, rtx.map(|(_, rtx)| *rtx))
    });
    with_rtx.take(MAX_NAMED_SOURCES).collect()
}

/// RFC 8830, section 2: the track's id may be missing.
fn msid(value: &str) -> Option<(String, String)> {
    let mut words = value.split_ascii_whitespace();
    let stream = words.next()?.to_owned();
    let track = words.next().unwrap_or_default().to_owned();
    Some((stream, track))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::description::Description;

    #[test]
    fn sources_named_beyond_the_limit_not_taken() {
        let mut text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
                        m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
            .to_owned();
        for source in 1..=2 * MAX_NAMED_SOURCES {
            let rtx = source + 100;
            text += &format!("a=ssrc-group:FID {source} {rtx}\r\n");
            text += &format!("a=ssrc:{source} cname:x\r\na=ssrc:{rtx} cname:x\r\n");
        }
        let description = Description::parse(&text).expect("a description");
        let named = named_sources(&description.sections[0]);
        let expected: Vec<_> = (1..=MAX_NAMED_SOURCES as u32)
            .map(|source| (source, Some(source + 100)))
            .collect();
        assert_eq!(named, expected);
    }
}
