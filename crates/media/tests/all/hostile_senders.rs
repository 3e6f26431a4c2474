//! A peer that holds the keys and sends what it should not, in virtual time.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::{RtpWrite, Ssrc};
use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Codec, EndReason, MAX_RECEIVED_PACKETS, ReceiveConfig, ReceivedPacket, Session, SessionConfig,
    SessionError, SessionEvent,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config, frame};

const FRAME: Duration = Duration::from_millis(20);
const SENT: StreamId = StreamId(0);

/// str0m's payload types of VP8, and of H.264 as constrained baseline at level 3.1, mode 1.
const VP8: u8 = 96;
const H264: u8 = 127;
/// One that neither end knows.
const UNKNOWN: u8 = 77;

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![
                Codec::Vp8,
                Codec::H264 {
                    profile_level_id: 0x42_e01f,
                },
            ],
            offered: Vec::new(),
        }),
        ..config(&[], None)
    }
}

struct Call {
    network: Network,
    mids: Vec<Mid>,
}

impl Call {
    /// The peer offers sections of video in these directions, in an offer that is edited on the way.
    fn new(
        config: &SessionConfig,
        directions: &[Direction],
        edit: impl Fn(String) -> String,
    ) -> Self {
        let now = Instant::now();
        let mut peer = Viewer::new(|config| config, now);
        let mut changes = peer.rtc.sdp_api();
        let add = |direction: &Direction| {
            changes.add_media(MediaKind::Video, *direction, None, None, None)
        };
        let mids = directions.iter().map(add).collect();
        let (offer, pending) = changes.apply().expect("an offer");
        let offer = edit(offer.to_sdp_string());
        let answered = Session::answer(config, &offer, &[], &[address(SENDER)], now);
        let (session, answer) = answered.expect("an answer");
        let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
        let taken = peer.rtc.sdp_api().accept_answer(pending, answer);
        taken.expect("it is taken");
        let mut network = Network::new(session, peer, now);
        network.run(Duration::from_secs(2));
        assert!(network.events.contains(&SessionEvent::Connected));
        Self { network, mids }
    }

    /// The peer sends a packet from a source that it uses in a section.
    fn send(&mut self, place: usize, source: u32, packet: RtpWrite) {
        let mut direct = self.network.viewer.rtc.direct_api();
        // The peer's str0m serves one source of a section.
        let before = direct.stream_tx_by_mid(self.mids[place], None);
        let before = before.map(|stream| stream.ssrc());
        before
            .filter(|before| **before != source)
            .map(|before| direct.remove_stream_tx(before));
        let stream = direct.declare_stream_tx(Ssrc::from(source), None, self.mids[place], None);
        stream.write_rtp(packet);
        self.network.run(FRAME);
    }

    fn packets(&mut self) -> Vec<ReceivedPacket> {
        std::iter::from_fn(|| self.network.session.poll_packet()).collect()
    }

    fn packet(&self, payload_type: u8, number: u64) -> RtpWrite {
        let time = 3_000 * u32::try_from(number).expect("not that many");
        let now = self.network.now;
        let packet = RtpWrite::new(payload_type.into(), number.into(), time, now, vec![7; 100]);
        packet.marker(true)
    }

    /// Fails if the session ended.
    fn assert_goes_on(&self) {
        let mut events = self.network.events.iter();
        let end = events.find(|event| matches!(event, SessionEvent::Ended(_)));
        assert_eq!(end, None);
    }
}

#[test]
fn sections_that_name_the_same_source_do_no_harm() {
    let same = |offer: String| {
        let mut sources = Vec::new();
        for line in offer.lines() {
            let source = line
                .strip_prefix("a=ssrc:")
                .and_then(|it| it.split(' ').next());
            if let Some(source) = source.filter(|it| !sources.contains(&it.to_string())) {
                sources.push(source.to_owned());
            }
        }
        let first = sources.first().cloned().unwrap_or_default();
        sources
            .iter()
            .fold(offer.clone(), |offer, source| offer.replace(source, &first))
    };
    let mut call = Call::new(&receiving(), &[Direction::SendOnly; 2], same);
    let mut came = Vec::new();
    for number in 0..40 {
        let place = usize::try_from(number % 2).expect("a place");
        let packet = call.packet(VP8, number);
        call.send(
            place,
            1_000 + u32::try_from(place).expect("a place"),
            packet,
        );
        came.extend(call.packets());
    }
    call.assert_goes_on();
    let mids: Vec<_> = call.mids.iter().map(|mid| mid.to_string()).collect();
    assert!(came.len() >= 38, "{} came", came.len());
    assert!(
        came.iter()
            .all(|packet| mids.contains(&packet.mid.to_string()))
    );
}

#[test]
fn source_of_one_section_that_is_used_in_another_stays_that_of_the_first() {
    let mut call = Call::new(&receiving(), &[Direction::SendOnly; 2], |offer| offer);
    for number in 0..10 {
        let packet = call.packet(VP8, number);
        call.send(0, 1_000, packet);
    }
    let first = call.packets();
    let [one, other] = [call.mids[0], call.mids[1]].map(|mid| mid.to_string());
    assert!(first.len() >= 9 && first.iter().all(|packet| *packet.mid == one));
    let mut direct = call.network.viewer.rtc.direct_api();
    direct.remove_stream_tx(Ssrc::from(1_000));
    for number in 10..20 {
        let packet = call.packet(VP8, number);
        call.send(1, 1_000, packet);
    }
    assert!(call.packets().iter().all(|packet| *packet.mid != other));
    call.assert_goes_on();
}

#[test]
fn peer_that_uses_our_source_keeps_nothing_from_being_sent() {
    let config = SessionConfig {
        receive: receiving().receive,
        ..config(&[(SENT, Codec::Vp8)], None)
    };
    let directions = [Direction::RecvOnly, Direction::SendOnly];
    let mut call = Call::new(&config, &directions, |offer| offer);
    let statistics = call.network.session.statistics();
    let ours = statistics.streams[0].ssrc.expect("it is sent");
    for number in 0..20 {
        let packet = call.packet(VP8, number);
        call.send(1, ours, packet);
        let time = 1_800 * u32::try_from(number).expect("not that many");
        let sent = frame(SENT, time, call.network.now, true, 1);
        call.network.session.send_frame(&sent, call.network.now);
    }
    call.network.run(FRAME * 5);
    call.assert_goes_on();
    assert_eq!(call.network.viewer.packets.len(), 20);
}

#[test]
fn peer_that_changes_its_codec_in_mid_stream_is_received_in_both() {
    let mut call = Call::new(&receiving(), &[Direction::SendOnly], |offer| offer);
    let mut came = Vec::new();
    for number in 0..20 {
        let payload_type = if number < 10 { VP8 } else { H264 };
        let packet = call.packet(payload_type, number);
        call.send(0, 1_000, packet);
        came.extend(call.packets());
    }
    call.network.run(FRAME * 5);
    came.extend(call.packets());
    let payload_types: Vec<_> = came.iter().map(|packet| packet.payload_type).collect();
    let expected = [[VP8; 10], [H264; 10]].concat();
    assert_eq!(payload_types, expected);
    call.assert_goes_on();
}

/// A packet as nobody would send it.
#[derive(Clone, Debug)]
struct Odd {
    place: usize,
    source: u32,
    payload_type: u8,
    number: u64,
    time: u32,
    length: usize,
    marker: bool,
}

fn odd() -> impl Strategy<Value = Odd> {
    let source = prop_oneof![Just(1), Just(u32::MAX), 1..2_000_u32];
    let number = prop_oneof![0..50_u64, 65_500..65_600_u64, 0..10_000_000_u64];
    let payload_type = prop_oneof![Just(VP8), Just(H264), Just(UNKNOWN)];
    let length = prop_oneof![Just(0_usize), Just(1), 0..1_100_usize];
    let place = 0..2_usize;
    (
        place,
        source,
        payload_type,
        number,
        any::<u32>(),
        length,
        any::<bool>(),
    )
        .prop_map(
            |(place, source, payload_type, number, time, length, marker)| Odd {
                place,
                source,
                payload_type,
                number,
                time,
                length,
                marker,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn packets_as_nobody_would_send_them_do_no_harm(all in vec(odd(), 1..120)) {
        let mut call = Call::new(&receiving(), &[Direction::SendOnly; 2], |offer| offer);
        for odd in all {
            let now = call.network.now;
            let payload = vec![0xff; odd.length];
            let packet = RtpWrite::new(
                odd.payload_type.into(),
                odd.number.into(),
                odd.time,
                now,
                payload,
            );
            call.send(odd.place, odd.source, packet.marker(odd.marker));
        }
        let came = call.packets();
        prop_assert!(came.len() <= MAX_RECEIVED_PACKETS);
        prop_assert!(came.iter().all(|packet| [VP8, H264].contains(&packet.payload_type)));
        let ended = call.network.events.iter().find_map(|event| match event {
            SessionEvent::Ended(EndReason::Failed(SessionError::Internal(error))) => Some(error),
            _ => None,
        });
        prop_assert_eq!(ended, None);
    }
}
