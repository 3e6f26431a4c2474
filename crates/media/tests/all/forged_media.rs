//! Packets of media that somebody makes up who has no keys, in the name of a peer that sends, in virtual time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::RtpWrite;
use wigwag_media::session::{
    Codec, MAX_UNPROVEN_SOURCES, ReceiveConfig, ReceivedPacket, Session, SessionConfig,
    SessionEvent,
};

use crate::virtual_network::{Network, SENDER, VIEWER, Viewer, address, config};

const FRAME: Duration = Duration::from_millis(20);
const VP8: u8 = 96;

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: vec![],
        }),
        ..config(&[], None)
    }
}

/// A peer that sends one video; its offer and our answer are edited on the way.
fn call(
    offer_keeps: impl Fn(&str) -> bool,
    answer_keeps: impl Fn(&str) -> bool,
) -> (Network, Mid, u8) {
    let now = Instant::now();
    let mut peer = Viewer::new(|config| config, now);
    let mut changes = peer.rtc.sdp_api();
    let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
    let (offer, pending) = changes.apply().expect("an offer");
    let offer = offer.to_sdp_string();
    let keep = |text: &str, keeps: &dyn Fn(&str) -> bool| {
        let lines = text.lines().filter(|line| keeps(line));
        lines.map(|line| format!("{line}\r\n")).collect::<String>()
    };
    let offer = keep(&offer, &offer_keeps);
    let answered = Session::answer(&receiving(), &offer, &[], &[address(SENDER)], now);
    let (session, answer) = answered.expect("an answer");
    let id = answer
        .lines()
        .find(|line| line.contains("sdes:mid"))
        .and_then(|line| {
            line.strip_prefix("a=extmap:")?
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or_default();
    let answer = keep(&answer, &answer_keeps);
    let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
    peer.rtc
        .sdp_api()
        .accept_answer(pending, answer)
        .expect("taken");
    let mut network = Network::new(session, peer, now);
    network.run(Duration::from_secs(2));
    assert!(network.events.contains(&SessionEvent::Connected));
    (network, mid, id)
}

fn send(network: &mut Network, mid: Mid, number: u64) -> Vec<ReceivedPacket> {
    let now = network.now;
    let time = 3_000 * number as u32;
    let packet = RtpWrite::new(
        VP8.into(),
        number.into(),
        time,
        now,
        vec![number as u8; 200],
    );
    let mut direct = network.viewer.rtc.direct_api();
    let stream = direct.stream_tx_by_mid(mid, None).expect("declared");
    stream.write_rtp(packet.marker(true).nackable(true));
    network.run(FRAME);
    std::iter::from_fn(|| network.session.poll_packet()).collect()
}

/// What anybody can make up: no key is needed.
fn forged(ssrc: u32, payload_type: u8, mid: Option<(u8, &str)>) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type, 0, 1, 0, 0, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    if let Some((id, mid)) = mid {
        packet[0] |= 0x10;
        let mut element = vec![id << 4 | (mid.len() as u8 - 1)];
        element.extend(mid.as_bytes());
        element.resize(element.len().next_multiple_of(4), 0);
        packet.extend([0xbe, 0xde, 0, (element.len() / 4) as u8]);
        packet.extend(element);
    }
    packet.extend([9; 60]);
    packet
}

fn take(network: &mut Network, datagram: &[u8]) {
    let now = network.now;
    network
        .session
        .handle_datagram(address(VIEWER), address(SENDER), datagram, now);
}

/// The peer stops naming the section in its packets, as Chromium does once it is reported on; it names its
/// source in the description.
#[test]
fn forged_packet_does_not_end_a_track() {
    let (mut network, mid, id) = call(|_| true, |line| !line.contains("sdes:mid"));
    assert_ne!(id, 0, "the session reads names of sections");
    let before: usize = (0..20).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(before >= 18, "{before}");
    let name = mid.to_string();
    take(&mut network, &forged(0x1234, VP8, Some((id, &name))));
    let after: usize = (20..120).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(after >= 95, "{after} of 100 came after one forged packet");
}

/// The same for packets that are sent a second time: they are no longer recognised, so what is lost stays lost.
#[test]
fn forged_packet_does_not_end_retransmission() {
    let (mut network, mid, id) = call(|_| true, |line| !line.contains("sdes:mid"));
    let before: usize = (0..20).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(before >= 18, "{before}");
    take(
        &mut network,
        &forged(0x1234, 97, Some((id, &mid.to_string()))),
    );
    let mut sequences = BTreeSet::new();
    for number in 20..80 {
        network.viewer_is_heard = number % 10 != 5;
        sequences.extend(
            send(&mut network, mid, number)
                .into_iter()
                .map(|it| it.sequence),
        );
        network.viewer_is_heard = true;
    }
    for _ in 0..20 {
        network.run(FRAME);
        let came = std::iter::from_fn(|| network.session.poll_packet());
        sequences.extend(came.map(|it| it.sequence));
    }
    assert!(sequences.len() >= 60, "{} of 60", sequences.len());
}

#[test]
fn forged_packets_before_the_first_leave_room_for_it() {
    let nameless = |line: &str| !line.starts_with("a=ssrc") && !line.contains("sdes:mid");
    let (mut network, mid, _) = call(nameless, |_| true);
    for source in 1..=4 * MAX_UNPROVEN_SOURCES as u32 {
        take(&mut network, &forged(source, VP8, None));
    }
    let after: usize = (0..100).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(after >= 95, "{after} of 100 came");
}

#[test]
fn peer_that_changes_its_source_is_received() {
    let nameless = |line: &str| !line.starts_with("a=ssrc") && !line.contains("sdes:mid");
    let (mut network, mid, _) = call(nameless, |_| true);
    let mut came = Vec::new();
    for source in 0..3 * MAX_UNPROVEN_SOURCES as u32 {
        if source > 0 {
            let mut direct = network.viewer.rtc.direct_api();
            let sources = ((1_000 + source).into(), (2_000 + source).into());
            let reset = direct.reset_stream_tx(mid, None, sources.0, Some(sources.1));
            reset.expect("another source");
        }
        let number = u64::from(source) * 100;
        let packets = (0..10).map(|it| send(&mut network, mid, number + it).len());
        came.push(packets.sum::<usize>());
    }
    assert!(came.iter().all(|it| *it >= 9), "{came:?}");
}

#[test]
fn probes_of_no_stream_are_no_source_of_a_section() {
    let nameless = |line: &str| !line.starts_with("a=ssrc") && !line.contains("sdes:mid");
    let mut asked = 0;
    for _ in 0..12 {
        let (mut network, mid, _) = call(nameless, |_| true);
        take(&mut network, &forged(0, VP8, None));
        for number in 0..5 {
            send(&mut network, mid, number);
        }
        let now = network.now;
        network.session.request_key_frame_of(&mid.to_string(), now);
        network.run(FRAME * 5);
        asked += network.viewer.key_frames_requested;
    }
    assert_eq!(asked, 12);
}

#[test]
fn forged_packets_of_any_kind_end_nothing() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let (mut network, mid, id) = call(|_| true, |_| true);
    let name = mid.to_string();
    for round in 0..20_000 {
        let payload_type = [VP8, 97, 98, 111][draw(4) as usize];
        let named = (draw(3) > 0).then_some((id, name.as_str()));
        let mut packet = forged(draw(12) as u32, payload_type, named);
        packet[3] = draw(255) as u8;
        if draw(20) == 0 {
            packet.truncate(draw(40) as usize);
        }
        take(&mut network, &packet);
        if round % 200 == 0 {
            network.run(Duration::from_millis(5));
            send(&mut network, mid, round);
        }
        assert!(!network.session.is_over(), "{:?}", network.events);
    }
}

/// The source stops being named before it changes: an honest peer with two sources of one section, of which none is named.
#[test]
fn source_that_comes_back_is_received() {
    let (mut network, mid, id) = call(|line| !line.starts_with("a=ssrc"), |_| true);
    let _ = id;
    let mut came = Vec::new();
    for source in [0, 1, 0, 1, 0] {
        let mut direct = network.viewer.rtc.direct_api();
        direct.reset_stream_tx(
            mid,
            None,
            (1_000 + source).into(),
            Some((2_000 + source).into()),
        );
        let number = came.len() as u64 * 20;
        came.push(
            (0..10)
                .map(|it| send(&mut network, mid, number + it).len())
                .sum::<usize>(),
        );
    }
    assert!(came.iter().all(|it| *it >= 9), "{came:?}");
}

#[test]
fn forged_sources_by_the_thousand_leave_the_track_as_it_was() {
    let (mut network, mid, id) = call(|_| true, |_| true);
    let before: usize = (0..10).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(before >= 9);
    let name = mid.to_string();
    for source in (10_000..14_000).step_by(2) {
        for next in [source, source + 1, source] {
            take(&mut network, &forged(next, VP8, Some((id, &name))));
        }
    }
    let after: usize = (10..60).map(|it| send(&mut network, mid, it).len()).sum();
    assert!(after >= 49, "{after} of 50");
}
