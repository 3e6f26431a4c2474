//! Descriptions that are long, odd or hostile.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use str0m::media::Mid;
use str0m::rtp::RtpWrite;
use wigwag_media::ids::{StreamId, StreamKind};
use wigwag_media::session::{
    Codec, PeerError, ReceiveConfig, ReceivedPacket, Session, SessionConfig, SessionEvent,
    TransportError,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config};

const FRAME: Duration = Duration::from_millis(20);
const VP8: u8 = 96;
/// Longer than any description takes, on a machine whose processors are all busy.
const TOO_LONG: Duration = Duration::from_secs(10);

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: vec![],
        }),
        ..config(&[], None)
    }
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

fn minimal(formats: &str, lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
         a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n{lines}",
        vec!["AB"; 32].join(":")
    )
}

fn time_to_answer(config: &SessionConfig, offer: &str) -> Duration {
    assert!(offer.len() <= 256 * 1024, "{}", offer.len());
    let began = Instant::now();
    let _ = Session::answer(config, offer, &[], &[address(SENDER)], began);
    began.elapsed()
}

#[test]
fn description_as_long_as_may_be_is_read_in_time() {
    let mut lines = String::new();
    let mut formats = Vec::new();
    for payload_type in 0..120 {
        formats.push(payload_type.to_string());
        let _ = writeln!(lines, "a=rtpmap:{payload_type} X/1");
    }
    for number in 0..15_000 {
        let _ = writeln!(lines, "a=rtcp-fb:* {number}");
    }
    let feedback = minimal(&formats.join(" "), &lines);
    let repeated = minimal(&"7 ".repeat(60_000), &"a=\n".repeat(40_000));
    let mut lines = "a=rtpmap:96 VP8/90000\n".to_owned();
    for number in 1..13_000 {
        let _ = writeln!(lines, "a=ssrc:{number} a");
    }
    for number in 1..2_000 {
        let _ = writeln!(lines, "a=ssrc-group:FID 1 {number}");
    }
    let sources = minimal("96", &lines);
    for offer in [feedback, repeated, sources] {
        for config in [config(&[(StreamId(0), Codec::Vp8)], None), receiving()] {
            let took = time_to_answer(&config, &offer);
            assert!(took < TOO_LONG, "{} bytes took {took:?}", offer.len());
        }
    }
}

/// An offer of a browser that wants our video and sends its own: a payload type is the same in both sections.
#[test]
fn what_is_sent_and_what_is_received_may_share_payload_types() {
    let now = Instant::now();
    let video = (StreamId(0), Codec::Vp8);
    let config = SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: vec![],
        }),
        ..config(&[video], Some(2_000_000))
    };
    let section = |mid: u8, direction: &str| {
        format!(
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
             a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\n\
             a=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n\
             a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n",
            vec!["AB"; 32].join(":")
        )
    };
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{}{}",
        section(0, "recvonly"),
        section(1, "sendonly")
    );
    let answered = Session::answer(&config, &offer, &[], &[address(SENDER)], now);
    let (_, answer) = answered.expect("an answer");
    let directions: Vec<_> = answer
        .lines()
        .filter(|it| ["a=sendonly", "a=recvonly", "a=inactive"].contains(it))
        .collect();
    assert_eq!(directions, ["a=sendonly", "a=recvonly"]);
}

/// We send one video and receive another; the peer answers that it takes ours under a number of its own.
#[test]
fn packets_are_received_though_the_peer_takes_ours_under_another_payload_type() {
    for (from, to) in [(None, None), (Some("96"), "100".into())] {
        let now = Instant::now();
        let config = SessionConfig {
            receive: Some(ReceiveConfig {
                codecs: vec![Codec::Vp8],
                offered: vec![StreamKind::Video],
            }),
            ..config(&[(StreamId(0), Codec::Vp8)], Some(2_000_000))
        };
        let (session, offer) = Session::offer(&config, &[address(SENDER)], now).expect("an offer");
        let mut network = Network::new(session, Viewer::new(|config| config, now), now);
        let mut answer = network.viewer.answer(&offer);
        if let (Some(from), Some(to)) = (from, to) {
            let to: &str = to;
            let second = answer.rfind("m=video").expect("two sections");
            let (first, second) = answer.split_at(second);
            let first = first.replace(&format!(" {from}"), &format!(" {to}"));
            let first = first.replace(&format!(":{from} "), &format!(":{to} "));
            let first = first.replace(&format!("apt={from}"), &format!("apt={to}"));
            answer = format!("{first}{second}");
        }
        network.session.handle_answer(&answer, &[], now);
        network.run(Duration::from_secs(2));
        assert!(
            network.events.contains(&SessionEvent::Connected),
            "{:?}\n{answer}",
            network.events
        );
        let mid = Mid::from("video1");
        let came: usize = (0..50).map(|it| send(&mut network, mid, it).len()).sum();
        assert!(came >= 48, "{came} of 50, {to:?}: {answer}");
    }
}

/// As Firefox wrote it up to version 62, and older libraries.
#[test]
fn data_section_as_before_rfc_8841_is_taken() {
    let offer = minimal("96", "a=rtpmap:96 VP8/90000\n").replace("BUNDLE 0", "BUNDLE 0 1")
        + "m=application 9 DTLS/SCTP 5000\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
           a=sctpmap:5000 webrtc-datachannel 1024\r\n";
    let video = (StreamId(0), Codec::Vp8);
    let config = config(&[video], None);
    let answered = Session::answer(&config, &offer, &[], &[address(SENDER)], Instant::now());
    let (_, answer) = answered.expect("an answer");
    assert!(answer.contains("m=application 9 "), "{answer}");
}

/// The session ended, and an answer comes that refuses the first section.
#[test]
fn answer_after_the_end_changes_nothing() {
    let now = Instant::now();
    let config = config(
        &[(StreamId(0), Codec::Opus), (StreamId(1), Codec::Vp8)],
        None,
    );
    let (mut session, offer) = Session::offer(&config, &[address(SENDER)], now).expect("an offer");
    let mapped = address("203.0.113.1:4000");
    assert!(
        session
            .add_reflexive_candidate(address(SENDER), mapped, now)
            .is_some()
    );
    let mut viewer = Viewer::new(|config| config, now);
    let answer = viewer.answer(&offer);
    let (session_part, rest) = answer.split_once("m=audio 9").expect("audio first");
    let session_part = session_part.replace("BUNDLE audio0 ", "BUNDLE ");
    let answer = format!("{session_part}m=audio 0{rest}");
    let later = now + Duration::from_secs(15);
    session.handle_timeout(later);
    session.handle_answer(&answer, &[], later);
    let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
    assert_eq!(
        events,
        [SessionEvent::Ended(TransportError::SetUpTimedOut.into())]
    );
}

#[test]
fn second_data_section_is_rejected_and_names_that_repeat_are_refused() {
    let data = |mid| {
        format!(
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
             a=sctp-port:5000\r\n"
        )
    };
    let config = config(&[(StreamId(0), Codec::Vp8)], None);
    let first = minimal("96", "a=rtpmap:96 VP8/90000\n").replace("BUNDLE 0", "BUNDLE 0 1 2");
    let answered = |offer: &str| {
        let answered = Session::answer(&config, offer, &[], &[address(SENDER)], Instant::now());
        answered.map(|(_, answer)| answer)
    };
    let answer = answered(&(first.clone() + &data(1) + &data(2))).expect("an answer");
    assert_eq!(answer.matches("m=application 9 ").count(), 1, "{answer}");
    assert_eq!(answer.matches("m=application 0 ").count(), 1, "{answer}");
    let refused = answered(&(first + &data(0)));
    assert_eq!(refused, Err(PeerError::UnusableDescription.into()));
}
