//! A session that receives from a plain str0m peer, in virtual time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::{
    AbsCaptureTime, Extension, ExtensionSerializer, ExtensionValues, RtpWrite, VideoOrientation,
};
use wigwag_media::ids::StreamKind;
use wigwag_media::session::{
    Codec, EndReason, MAX_RECEIVED_PACKETS, PeerError, RECEIVED_BITRATE, ReceiveConfig,
    ReceivedPacket, RemoteTrack, Session, SessionConfig, SessionEvent,
};

use crate::virtual_network::{Network, SENDER, VIEWER, Viewer, address, config};

const FRAME: Duration = Duration::from_millis(20);
/// str0m's payload types.
const VP8: u8 = 96;
const OPUS: u8 = 111;

fn receiving(offered: &[StreamKind]) -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: offered.to_vec(),
        }),
        ..config(&[], None)
    }
}

/// A session and a peer that sends to it.
struct Call {
    network: Network,
    /// How the peer calls its sections.
    mids: Vec<Mid>,
    tracks: Vec<RemoteTrack>,
    sent: u64,
}

impl Call {
    /// The peer offers sections of these kinds, in an offer that is edited on the way.
    fn offered(kinds: &[MediaKind], edit: impl Fn(&str) -> bool) -> Self {
        let now = Instant::now();
        Self::offered_by(Viewer::new(|config| config, now), kinds, edit, now)
    }

    fn offered_by(
        mut peer: Viewer,
        kinds: &[MediaKind],
        edit: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Self {
        let mut changes = peer.rtc.sdp_api();
        let add = |kind: &MediaKind| {
            let stream = Some("stream".to_owned());
            changes.add_media(*kind, Direction::SendOnly, stream, None, None)
        };
        let mids: Vec<_> = kinds.iter().map(add).collect();
        let (offer, pending) = changes.apply().expect("an offer");
        let offer = offer.to_sdp_string();
        let lines = offer.lines().filter(|line| edit(line));
        let offer: String = lines.map(|line| format!("{line}\r\n")).collect();
        let ours = [address(SENDER)];
        let answered = Session::answer(&receiving(&[]), &offer, &[], &ours, now);
        let (session, answer) = answered.expect("an answer");
        let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
        let taken = peer.rtc.sdp_api().accept_answer(pending, answer);
        taken.expect("it is taken");
        Self::connected(Network::new(session, peer, now), mids)
    }

    fn connected(mut network: Network, mids: Vec<Mid>) -> Self {
        network.run(Duration::from_secs(2));
        assert!(network.events.contains(&SessionEvent::Connected));
        let tracks = network.events.iter().find_map(|event| match event {
            SessionEvent::RemoteTracks(tracks) => Some(tracks.clone()),
            _ => None,
        });
        Self {
            tracks: tracks.expect("they are reported"),
            network,
            mids,
            sent: 0,
        }
    }

    /// The peer sends a packet in a section; returns what came meanwhile.
    fn send(&mut self, place: usize) -> Vec<ReceivedPacket> {
        self.send_with(place, ExtensionValues::default())
    }

    /// The same, with what header extensions say.
    fn send_with(&mut self, place: usize, values: ExtensionValues) -> Vec<ReceivedPacket> {
        let payload_type = match self.tracks[place].kind {
            StreamKind::Video => VP8,
            StreamKind::Audio => OPUS,
        };
        let (number, now) = (self.sent, self.network.now);
        self.sent += 1;
        let time = 3_000 * u32::try_from(number).expect("not that many");
        let payload = vec![u8::try_from(number % 256).expect("a byte"); 200];
        let packet = RtpWrite::new(payload_type.into(), number.into(), time, now, payload);
        let mut direct = self.network.viewer.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mids[place], None);
        let stream = stream.expect("it is declared");
        stream.write_rtp(packet.marker(true).nackable(true).ext_vals(values));
        self.network.run(FRAME);
        self.packets()
    }

    fn packets(&mut self) -> Vec<ReceivedPacket> {
        std::iter::from_fn(|| self.network.session.poll_packet()).collect()
    }

    fn end(&self) -> Option<&EndReason> {
        self.network.events.iter().find_map(|event| match event {
            SessionEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }
}

fn names_source(line: &str) -> bool {
    line.starts_with("a=ssrc")
}

fn names_section_of_packets(line: &str) -> bool {
    line.contains("sdes:mid")
}

#[test]
fn packets_come_with_their_section_however_their_source_is_named() {
    let edits: [fn(&str) -> bool; 4] = [
        |_| true,
        |line| !names_source(line),
        |line| !names_section_of_packets(line),
        |line| !names_source(line) && !names_section_of_packets(line),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut call = Call::offered(&[MediaKind::Audio, MediaKind::Video], edit);
        let kinds: Vec<_> = call.tracks.iter().map(|track| track.kind).collect();
        assert_eq!(kinds, [StreamKind::Audio, StreamKind::Video]);
        let mut came = Vec::new();
        for packet in 0..20 {
            came.extend(call.send(packet % 2));
        }
        came.extend(call.send(0));
        assert!(came.len() >= 20, "{number}: {} came", came.len());
        for packet in came {
            let place = usize::from(packet.payload[0] % 2);
            assert_eq!(packet.mid, call.tracks[place].mid, "{number}");
            let expected = [OPUS, VP8][place];
            assert_eq!(packet.payload_type, expected, "{number}");
            assert_eq!(packet.timestamp, 3_000 * u32::from(packet.payload[0]));
            assert_eq!(packet.payload.len(), 200);
            assert!(packet.marker);
        }
    }
}

#[test]
fn tracks_are_described_as_the_peer_describes_them() {
    let call = Call::offered(&[MediaKind::Video], |_| true);
    let track = &call.tracks[0];
    assert_eq!(&*track.mid, &*call.mids[0]);
    let (stream, _) = track.msid.as_ref().expect("it is named");
    assert_eq!(stream, "stream");
    let formats: Vec<_> = track.formats.iter().map(|it| it.payload_type).collect();
    assert_eq!(formats, [VP8]);
    assert_eq!(track.formats[0].encoding, "VP8/90000");
}

#[test]
fn peer_that_answers_sends_in_what_was_offered() {
    let now = Instant::now();
    let config = receiving(&[StreamKind::Video, StreamKind::Audio]);
    let (session, offer) = Session::offer(&config, &[address(SENDER)], now).expect("an offer");
    assert_eq!(offer.matches("a=recvonly").count(), 2, "{offer}");
    let mut network = Network::new(session, Viewer::new(|config| config, now), now);
    let answer = network.viewer.answer(&offer);
    network.session.handle_answer(&answer, &[], now);
    let mids = ["video0", "audio1"].map(Mid::from).to_vec();
    let mut call = Call::connected(network, mids);
    let formats = |place: usize| call.tracks[place].formats[0].payload_type;
    let (video, audio) = (formats(0), formats(1));
    assert_eq!(&*call.tracks[0].mid, "video0");
    let mut came = 0;
    for number in 0..10_u64 {
        for (place, payload_type) in [video, audio].into_iter().enumerate() {
            let now = call.network.now;
            let time = u32::try_from(number).expect("few") * 3_000;
            let packet = RtpWrite::new(payload_type.into(), number.into(), time, now, vec![7; 50]);
            let mut direct = call.network.viewer.rtc.direct_api();
            let stream = direct.stream_tx_by_mid(call.mids[place], None);
            stream.expect("it is declared").write_rtp(packet);
        }
        call.network.run(FRAME);
        came += call.packets().len();
    }
    call.network.run(FRAME);
    assert_eq!(came + call.packets().len(), 20);
}

#[test]
fn packets_that_are_lost_are_asked_for_and_look_as_the_first_time() {
    let mut call = Call::offered(&[MediaKind::Video], |_| true);
    let mut came = Vec::new();
    for number in 0..60 {
        // One in ten, and four in a row.
        let is_lost = number % 10 == 5 || (31..35).contains(&number);
        call.network.viewer_is_heard = !is_lost;
        came.extend(call.send(0));
        call.network.viewer_is_heard = true;
    }
    for _ in 0..20 {
        call.network.run(FRAME);
        came.extend(call.packets());
    }
    let sequences: BTreeSet<_> = came.iter().map(|packet| packet.sequence).collect();
    assert_eq!(sequences.len(), 60, "{sequences:?}");
    let first = came[0].ssrc;
    assert!(
        came.iter()
            .all(|it| it.ssrc == first && it.payload_type == VP8)
    );
    assert!(
        came.iter()
            .all(|it| u32::from(it.payload[0]) * 3_000 == it.timestamp)
    );
}

#[test]
fn key_frame_that_is_requested_is_asked_of_the_peer() {
    let mut call = Call::offered(&[MediaKind::Video], |_| true);
    call.send(0);
    call.send(0);
    let (mid, now) = (call.tracks[0].mid.clone(), call.network.now);
    call.network.session.request_key_frame_of("unknown", now);
    call.network.run(FRAME * 5);
    assert_eq!(call.network.viewer.key_frames_requested, 0);
    call.network.session.request_key_frame_of(&mid, now);
    call.network.run(FRAME * 5);
    assert_eq!(call.network.viewer.key_frames_requested, 1);
}

#[test]
fn peer_without_transport_wide_feedback_is_said_what_it_may_send() {
    let with = Call::offered(&[MediaKind::Video], |_| true);
    assert_eq!(with.network.viewer.remb, None);
    let mut without = Call::offered(&[MediaKind::Video], |line| {
        !line.contains("transport-cc") && !line.contains("transport-wide-cc")
    });
    for _ in 0..150 {
        without.send(0);
    }
    assert_eq!(without.network.viewer.remb, Some(RECEIVED_BITRATE));
}

#[test]
fn sender_reports_come_with_packets() {
    let mut call = Call::offered(&[MediaKind::Video], |_| true);
    let mut reported = Vec::new();
    for _ in 0..300 {
        let came = call.send(0);
        reported.extend(came.into_iter().filter_map(|packet| packet.sender_report));
    }
    assert!(!reported.is_empty());
}

/// Writes the dependency descriptor that a packet is given.
#[derive(Debug)]
struct DescriptorHeader;

impl ExtensionSerializer for DescriptorHeader {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let descriptor = values.user_values.get::<Vec<u8>>();
        let written = descriptor.and_then(|bytes| {
            buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(bytes.len())
        });
        written.unwrap_or(0)
    }

    fn parse_value(&self, _: &[u8], _: &mut ExtensionValues) -> bool {
        false
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, values: &ExtensionValues) -> bool {
        let descriptor = values.user_values.get::<Vec<u8>>();
        descriptor.is_some_and(|bytes| bytes.len() > 16)
    }
}

#[test]
fn packets_keep_what_header_extensions_say_of_them() {
    const URI: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
    let now = Instant::now();
    let configure = |config: str0m::RtcConfig| {
        let descriptor = Extension::with_serializer(URI, DescriptorHeader);
        config
            .set_extension(12, descriptor)
            .set_extension(13, Extension::VideoOrientation)
            .set_extension(11, Extension::AbsoluteCaptureTime)
    };
    let peer = Viewer::new(configure, now);
    let mut call = Call::offered_by(peer, &[MediaKind::Video], |_| true, now);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut came = Vec::new();
    // The second is too long for the short form of extensions (RFC 8285, section 4.2).
    for length in [3_u8, 40] {
        let mut values = ExtensionValues {
            video_orientation: Some(VideoOrientation::Deg180),
            abs_capture_time: Some(AbsCaptureTime {
                capture_time: time,
                clock_offset: Some(-5),
            }),
            ..ExtensionValues::default()
        };
        values.user_values.set(vec![length; usize::from(length)]);
        came.extend(call.send_with(0, values));
    }
    came.extend(call.send(0));
    call.network.run(FRAME);
    came.extend(call.packets());
    let [short, long, none] = came.as_slice() else {
        panic!("{came:?}");
    };
    for (packet, length) in [(short, 3_u8), (long, 40)] {
        let descriptor = packet.dependency_descriptor.as_deref();
        assert_eq!(descriptor, Some(&vec![length; length.into()][..]));
        assert_eq!(packet.orientation, Some(180));
        let captured = packet.captured.expect("it is said");
        let error = captured
            .time
            .duration_since(time)
            .unwrap_or_else(|it| it.duration());
        assert!(error < Duration::from_micros(1), "{error:?}");
        assert_eq!(captured.clock_offset, Some(-5));
    }
    assert_eq!(none.dependency_descriptor, None);
    assert_eq!((none.orientation, none.captured), (None, None));
}

#[test]
fn packets_from_elsewhere_or_of_others_are_not_taken() {
    let mut call = Call::offered(&[MediaKind::Video], |_| true);
    call.network.overheard = Some(Vec::new());
    call.send(0);
    let overheard = call.network.overheard.take().expect("it was kept");
    let media: Vec<_> = overheard.into_iter().filter(|it| it[0] >> 6 == 2).collect();
    assert!(!media.is_empty());
    let now = call.network.now;
    call.packets();
    for datagram in &media {
        let session = &mut call.network.session;
        let elsewhere = address("203.0.113.9:7000");
        assert!(!session.handle_datagram(elsewhere, address(SENDER), datagram, now));
        // As another encrypts, with sources of its own.
        for source in 0..1_000_u32 {
            let mut forged = datagram.clone();
            forged[8..12].copy_from_slice(&source.to_be_bytes());
            session.handle_datagram(address(VIEWER), address(SENDER), &forged, now);
        }
    }
    assert_eq!(call.packets().len(), 0);
    let came: usize = (0..10).map(|_| call.send(0).len()).sum();
    assert!(came >= 9, "{came}");
    assert_eq!(call.end(), None);
}

#[test]
fn packets_that_the_owner_does_not_take_are_bounded() {
    let mut call = Call::offered(&[MediaKind::Video], |_| true);
    let mid = call.mids[0];
    for number in 0..2 * MAX_RECEIVED_PACKETS as u64 {
        let packet = RtpWrite::new(VP8.into(), number.into(), 0, call.network.now, vec![7; 50]);
        let mut direct = call.network.viewer.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).expect("declared");
        stream.write_rtp(packet);
        call.network.run(Duration::from_millis(2));
    }
    let waiting = call.packets();
    assert_eq!(waiting.len(), MAX_RECEIVED_PACKETS);
    let last = waiting.last().map(|packet| packet.sequence);
    assert!(last > Some(MAX_RECEIVED_PACKETS as u64), "{last:?}");
}

#[test]
fn session_that_only_sends_takes_no_packets() {
    let now = Instant::now();
    let mut peer = Viewer::new(|config| config, now);
    let mut changes = peer.rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    let (offer, _) = changes.apply().expect("an offer");
    let refused = Session::answer(
        &config(&[], None),
        &offer.to_sdp_string(),
        &[],
        &[address(SENDER)],
        now,
    );
    assert_eq!(refused.map(|_| ()), Err(PeerError::NoCommonCodec.into()));
}
