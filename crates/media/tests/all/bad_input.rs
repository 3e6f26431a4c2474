//! What viewers should not send. A session may end of it, with a reason; nothing else may happen.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Codec, EndReason, InternalError, Session, SessionConfig, SessionEvent,
};

use crate::virtual_network::{Network, SENDER, VIEWER, Viewer, address, config, frame};

const REAL: [&str; 6] = [
    include_str!("described/chromium-offer.sdp"),
    include_str!("described/chromium-answer.sdp"),
    include_str!("described/firefox-offer.sdp"),
    include_str!("described/firefox-answer.sdp"),
    include_str!("described/webrtcbin-offer.sdp"),
    include_str!("described/webrtcbin-answer.sdp"),
];

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const SCREEN: (StreamId, Codec) = (
    StreamId(1),
    Codec::H264 {
        profile_level_id: 0x42e01f,
    },
);
const AUDIO: (StreamId, Codec) = (StreamId(2), Codec::Opus);

fn all() -> SessionConfig {
    config(&[VIDEO, SCREEN, AUDIO], Some(2_000_000))
}

/// Drives a session for a while, and tells how it ended if it did.
fn drive(session: &mut Session, now: Instant) -> Option<EndReason> {
    for step in 0..5 {
        session.handle_timeout(now + step * Duration::from_millis(100));
        while session.poll_transmit().is_some() {}
    }
    let ended = std::iter::from_fn(|| session.poll_event()).find_map(|event| match event {
        SessionEvent::Ended(reason) => Some(reason),
        _ => None,
    });
    assert_eq!(ended.is_some(), session.is_over());
    ended
}

/// Hands the text in as an offer and as an answer.
fn hand_in(config: &SessionConfig, sdp: &str) -> [Option<EndReason>; 2] {
    let now = Instant::now();
    let addresses = [address(SENDER)];
    let offered = match Session::answer(config, sdp, &[], &addresses, now) {
        Ok((mut session, _)) => drive(&mut session, now),
        Err(error) => Some(error.into()),
    };
    let (mut session, _) = Session::offer(config, &addresses, now).expect("an offer");
    session.handle_answer(sdp, &[], now);
    [offered, drive(&mut session, now)]
}

fn assert_no_panic(reasons: &[Option<EndReason>], sdp: &str) {
    for reason in reasons {
        assert_ne!(*reason, Some(InternalError::Panicked.into()), "{sdp}");
        assert_ne!(*reason, Some(InternalError::NotMade.into()), "{sdp}");
    }
}

/// What may happen to a line.
#[derive(Clone, Debug)]
enum Change {
    Drop,
    Repeat,
    Swap(usize),
    Cut(usize),
    /// Digits become others.
    Renumber(u8),
    Insert(String),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Drop),
        Just(Change::Repeat),
        (0..300usize).prop_map(Change::Swap),
        (0..60usize).prop_map(Change::Cut),
        any::<u8>().prop_map(Change::Renumber),
        "[ -~]{0,40}".prop_map(Change::Insert),
        select(vec![
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=98",
            "a=fmtp:97 apt=96;apt=97",
            "a=rtpmap:255 VP8/90000",
            "a=rtpmap:96 H264/0",
            "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=extmap:255 urn:ietf:params:rtp-hdrext:sdes:mid",
            "a=mid:",
            "a=mid:é",
            "a=group:BUNDLE",
            "a=ice-lite",
            "a=setup:holdconn",
            "a=fingerprint:sha-256 00",
            "a=fingerprint:md5 00:00",
            "a=candidate:1 1 UDP 99999999999 x 0 typ host",
            "a=candidate:1 1 TCP 1 1.2.3.4 9 typ host tcptype active",
            "a=sctp-init:AAAA",
            "a=max-message-size:99999999999999999999",
            "m=video 0 UDP/TLS/RTP/SAVPF",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "m=text 9 RTP/AVP 0",
        ])
        .prop_map(|line| Change::Insert(line.to_owned())),
    ]
}

fn changed(sdp: &str, changes: Vec<(usize, Change)>) -> String {
    let mut lines: Vec<String> = sdp.lines().map(str::to_owned).collect();
    for (place, change) in changes {
        if lines.is_empty() {
            break;
        }
        let place = place % lines.len();
        match change {
            Change::Drop => drop(lines.remove(place)),
            Change::Repeat => lines.insert(place, lines[place].clone()),
            Change::Swap(other) => {
                let other = other % lines.len();
                lines.swap(place, other);
            }
            Change::Cut(length) => {
                lines[place] = lines[place].chars().take(length).collect();
            }
            Change::Renumber(by) => {
                let digit = |character: char| match character.to_digit(10) {
                    Some(digit) => {
                        char::from_digit((digit + u32::from(by)) % 10, 10).unwrap_or(character)
                    }
                    None => character,
                };
                lines[place] = lines[place].chars().map(digit).collect();
            }
            Change::Insert(line) => lines.insert(place, line),
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn descriptions_that_went_wrong_end_at_most_the_session(
        sdp in select(REAL.to_vec()),
        changes in vec((0..400usize, change()), 1..12),
    ) {
        let sdp = changed(sdp, changes);
        assert_no_panic(&hand_in(&all(), &sdp), &sdp);
    }

    #[test]
    fn any_text_ends_at_most_the_session(text in "(v=0\r\n)?[a-z0-9=: \r\n/]{0,200}|\\PC{0,80}") {
        let reasons = hand_in(&all(), &text);
        assert_no_panic(&reasons, &text);
        prop_assert!(reasons.iter().all(Option::is_some));
    }

    #[test]
    fn any_candidate_is_read(candidate in "candidate:[ -~]{0,60}|[ -~]{0,60}") {
        let now = Instant::now();
        let (mut session, _) = Session::offer(&all(), &[address(SENDER)], now).expect("an offer");
        session.handle_candidate(&candidate, now);
        prop_assert_eq!(drive(&mut session, now), None);
    }
}

/// Two formats whose resends share a number were the end of str0m once.
#[test]
fn payload_types_that_mean_two_things() {
    let offer = REAL[0];
    for (from, to) in [
        (
            "a=rtpmap:99 rtx/90000\na=fmtp:99 apt=98",
            "a=rtpmap:99 rtx/90000\na=fmtp:99 apt=96",
        ),
        ("a=fmtp:99 apt=98", "a=fmtp:97 apt=98"),
        ("a=rtpmap:98 VP9", "a=rtpmap:96 VP9"),
        ("a=rtpmap:111 opus", "a=rtpmap:96 opus"),
        (
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=audio 9 UDP/TLS/RTP/SAVPF 96 111",
        ),
    ] {
        let offer = offer.replace("\r\n", "\n");
        assert!(offer.contains(from), "{from}");
        let sdp = offer.replace(from, to);
        let [offered, _] = hand_in(&all(), &sdp);
        assert_eq!(offered, None, "{to}");
    }
}

#[test]
fn a_later_section_without_a_name() {
    let offer = REAL[0];
    for name in ["a=mid:0", "a=mid:1", "a=mid:2"] {
        let sdp: String = offer
            .lines()
            .filter(|line| *line != name)
            .map(|line| line.to_owned() + "\n")
            .collect();
        assert_no_panic(&hand_in(&all(), &sdp), &sdp);
    }
}

fn connected() -> Network {
    let viewer = Viewer::new(|config| config, Instant::now());
    Network::connected(&config(&[VIDEO], Some(2_000_000)), viewer)
}

/// A STUN message with these attributes, type and value each.
fn stun(message_type: u16, transaction: [u8; 12], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = message_type.to_be_bytes().to_vec();
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(0x2112_a442_u32.to_be_bytes());
    message.extend(transaction);
    message.extend(body);
    message
}

#[test]
fn a_stun_error_that_begins_with_its_integrity() {
    let mut network = connected();
    for message_type in [0x0001, 0x0101, 0x0111, 0x0011] {
        for attributes in [
            vec![(0x0008, vec![0; 20])],
            vec![(0x0008, vec![0; 20]), (0x0009, vec![0, 0, 4, 1])],
            vec![(0x0008, vec![])],
            vec![(0x8028, vec![0; 4])],
            vec![(0x0006, b"a:b".to_vec()), (0x0008, vec![0; 20])],
        ] {
            let datagram = stun(message_type, [7; 12], &attributes);
            let (viewer, sender) = (address(VIEWER), address(SENDER));
            network
                .session
                .handle_datagram(viewer, sender, &datagram, network.now);
        }
    }
    assert_still_plays(&mut network);
}

fn assert_still_plays(network: &mut Network) {
    for number in 0..10 {
        let picture = frame(VIDEO.0, number * 3_000, network.now, number == 0, 4);
        network.session.send_frame(&picture, network.now);
        network.run(Duration::from_millis(33));
    }
    network.run(Duration::from_millis(500));
    assert!(!network.session.is_over(), "{:?}", network.events);
    assert_eq!(network.viewer.packets.len(), 40);
}

#[test]
fn any_datagram_is_read() {
    let mut network = connected();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let first = prop_oneof![Just(0u8), Just(1), 20..64u8, 128..192u8, any::<u8>()];
    let datagram = (first, vec(any::<u8>(), 0..200)).prop_map(|(first, rest)| {
        let mut datagram = vec![first];
        datagram.extend(rest);
        // Half of what begins like STUN goes on like it.
        if first < 4 && datagram.len() > 20 && datagram[1] % 2 == 0 {
            let length = (datagram.len() - 20) as u16 / 4 * 4;
            datagram.truncate(20 + usize::from(length));
            datagram[2..4].copy_from_slice(&length.to_be_bytes());
            datagram[4..8].copy_from_slice(&0x2112_a442_u32.to_be_bytes());
        }
        datagram
    });
    for _ in 0..3_000 {
        let datagram = datagram
            .new_tree(&mut runner)
            .expect("a datagram")
            .current();
        let (viewer, sender) = (address(VIEWER), address(SENDER));
        network
            .session
            .handle_datagram(viewer, sender, &datagram, network.now);
        assert!(!network.session.is_over(), "{datagram:02x?}");
    }
    assert_still_plays(&mut network);
}

#[test]
fn session_that_never_comes_to_rest_ends_and_says_so() {
    // Without congestion control all packets of a frame go out in one go.
    let viewer = Viewer::new(|config| config, Instant::now());
    let mut network = Network::connected(&config(&[VIDEO], None), viewer);
    let mut endless = (*frame(VIDEO.0, 0, network.now, true, 1)).clone();
    endless.packets = vec![vec![1; 20].into(); 50_000];
    network.session.send_frame(&endless.into(), network.now);
    let events: Vec<_> = std::iter::from_fn(|| network.session.poll_event()).collect();
    assert!(
        events.contains(&SessionEvent::Ended(InternalError::DidNotConverge.into())),
        "{events:?}"
    );
    assert!(network.session.is_over());
}
