//! A session of ours with a plain str0m viewer, in virtual time.

use std::time::{Duration, Instant};

use str0m::RtcConfig;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Codec, ConfigError, EndReason, PeerError, SET_UP_TIMEOUT, SILENCE_TIMEOUT, Session,
    SessionConfig, SessionError, SessionEvent, TransportError,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const AUDIO: (StreamId, Codec) = (StreamId(1), Codec::Opus);
const FRAME: Duration = Duration::from_millis(33);

fn any_codec(config: RtcConfig) -> RtcConfig {
    config
}

fn viewer() -> Viewer {
    Viewer::new(any_codec, Instant::now())
}

fn ended(network: &Network) -> Option<&EndReason> {
    network.events.iter().find_map(|event| match event {
        SessionEvent::Ended(reason) => Some(reason),
        _ => None,
    })
}

/// str0m may refuse such a description before we find that nothing is left of it.
fn assert_no_common_codec(reason: &EndReason) {
    assert!(
        matches!(
            reason,
            EndReason::Failed(SessionError::Peer(
                PeerError::NoCommonCodec | PeerError::UnusableDescription
            ))
        ),
        "{reason:?}"
    );
}

/// Sends 30 frames a second of eight packets, that is 2 Mbit/s.
fn play(network: &mut Network, frames: u32) {
    for number in 0..frames {
        let now = network.now;
        let key = number == 0;
        let picture = frame(VIDEO.0, number * 3_000, now, key, 8);
        network.session.send_frame(&picture, now);
        network.run(FRAME);
    }
    network.run(Duration::from_millis(500));
}

// The network fails a test in which a packet has no source, as str0m's probes do by default.
#[test]
fn who_is_sent_nothing_again_is_not_probed_from_no_source() {
    for (streams, retransmission) in [([VIDEO], false), ([AUDIO], true), ([VIDEO], true)] {
        let mut config = config(&streams, Some(500_000));
        config.retransmission = retransmission;
        let mut network = Network::connected(&config, viewer());
        let now = network.now;
        network.session.set_rates(500_000, 3_000_000, now);
        network.run(Duration::from_secs(2));
        play(&mut network, 90);
        let now = network.now;
        network.session.set_rates(500_000, 6_000_000, now);
        play(&mut network, 90);
        assert!(ended(&network).is_none());
    }
}

fn offer(config: &SessionConfig) -> String {
    let (_, offer) = Session::offer(config, &[address(SENDER)], Instant::now()).expect("an offer");
    offer
}

/// A session whose offer was made just now.
fn offered() -> (Session, Instant) {
    let now = Instant::now();
    let made = Session::offer(&config(&[VIDEO], None), &[address(SENDER)], now);
    (made.expect("an offer").0, now)
}

#[test]
fn a_viewer_gets_every_frame_in_order_with_and_without_congestion_control() {
    for start_bitrate in [None, Some(4_000_000)] {
        let mut network = Network::connected(&config(&[VIDEO, AUDIO], start_bitrate), viewer());
        let wanted = SessionEvent::KeyFrameWanted(VIDEO.0);
        assert!(network.events.contains(&wanted), "it cannot begin without");
        play(&mut network, 90);
        let packets = &network.viewer.packets;
        assert_eq!(packets.len(), 90 * 8, "with estimation: {start_bitrate:?}");
        assert!(
            packets
                .windows(2)
                .all(|two| *two[1].seq_no == *two[0].seq_no + 1)
        );
        let marked = packets.iter().filter(|packet| packet.header.marker).count();
        assert_eq!(marked, 90);
        assert_eq!(packets[0].payload[0], 1, "the key frame is first");
        assert_eq!(network.session.statistics().frames_dropped, 0);
        assert_eq!(ended(&network), None);
    }
}

#[test]
fn with_congestion_control_the_owner_hears_estimates() {
    let mut network = Network::connected(&config(&[VIDEO], Some(2_500_000)), viewer());
    play(&mut network, 60);
    let estimate = network.events.iter().rev().find_map(|event| match event {
        SessionEvent::Estimate(rate) => Some(*rate),
        _ => None,
    });
    assert!(estimate.expect("an estimate") > 300_000);
}

#[test]
fn a_viewer_that_joins_in_the_middle_waits_for_a_key_frame() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    network.events.clear();
    let delta = frame(VIDEO.0, 3_000, network.now, false, 8);
    network.session.send_frame(&delta, network.now);
    network.run(FRAME);
    assert!(network.viewer.packets.is_empty());
    assert_eq!(network.events, [SessionEvent::KeyFrameWanted(VIDEO.0)]);
}

#[test]
fn a_key_frame_that_a_viewer_asks_for_is_asked_of_the_owner() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    play(&mut network, 10);
    network.events.clear();
    let mid = network.viewer.packets[0]
        .header
        .ext_vals
        .mid
        .expect("a mid");
    network.viewer.ask_for_key_frame(mid);
    network.run(Duration::from_secs(1));
    assert!(
        network
            .events
            .contains(&SessionEvent::KeyFrameWanted(VIDEO.0))
    );
}

#[test]
fn a_viewer_that_never_answers_is_given_up_after_the_set_up_time() {
    let (mut session, now) = offered();
    session.handle_timeout(now + SET_UP_TIMEOUT - FRAME);
    assert_eq!(session.poll_event(), None);
    session.handle_timeout(now + SET_UP_TIMEOUT);
    let over = SessionEvent::Ended(TransportError::SetUpTimedOut.into());
    assert_eq!(session.poll_event(), Some(over));
    assert_eq!(session.poll_timeout(), None);
    session.handle_timeout(now + SET_UP_TIMEOUT * 2);
    assert_eq!(session.poll_event(), None, "it is said once");
}

#[test]
fn a_viewer_that_vanishes_is_given_up() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    network.viewer_is_heard = false;
    network.run(SILENCE_TIMEOUT - Duration::from_secs(5));
    assert_eq!(ended(&network), None);
    network.run(Duration::from_secs(6));
    assert_eq!(
        ended(&network),
        Some(&TransportError::ConsentExpired.into())
    );
}

#[test]
fn a_viewer_that_stays_is_kept_though_nothing_is_sent() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    network.run(Duration::from_secs(120));
    assert_eq!(ended(&network), None);
}

#[test]
fn a_viewer_without_our_codec_is_told_so() {
    let only_vp9 = |config: RtcConfig| config.clear_codecs().enable_vp9(true);
    let now = Instant::now();
    let network = Network::negotiated(&config(&[VIDEO], None), Viewer::new(only_vp9, now), now);
    let mut network = network;
    network.run(FRAME);
    assert_no_common_codec(ended(&network).expect("it is over"));
}

#[test]
fn malformed_answers_end_only_that_session() {
    let answers = [
        "",
        "nonsense",
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
    ];
    for answer in answers {
        let (mut session, now) = offered();
        session.handle_answer(answer, &[], now);
        let ended = std::iter::from_fn(|| session.poll_event())
            .any(|event| matches!(event, SessionEvent::Ended(_)));
        assert!(ended, "{answer:?}");
    }
}

#[test]
fn candidates_that_cannot_be_used_are_passed_over() {
    let (mut session, now) = offered();
    for candidate in [
        "",
        "nonsense",
        "candidate:1 1 UDP 1 x.local 5000 typ host",
        "candidate:1 1 UDP 99999999999 192.0.2.9 5000 typ host",
        "a=candidate:1 1 UDP 2122260223 192.0.2.9 5000 typ host",
    ] {
        session.handle_candidate(candidate, now);
    }
    assert_eq!(session.poll_event(), None);
}

#[test]
fn strangers_and_garbage_do_not_disturb() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    network.events.clear();
    let unknown = address("203.0.113.9:7000");
    for first in 0..=255u8 {
        for length in [1, 12, 20, 100] {
            let now = network.now;
            let garbage = vec![first; length];
            network
                .session
                .handle_datagram(unknown, address(SENDER), &garbage, now);
        }
    }
    play(&mut network, 10);
    assert_eq!(network.viewer.packets.len(), 80);
    assert_eq!(ended(&network), None);
}

#[test]
fn a_close_is_heard_by_the_viewer() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    let now = network.now;
    network.session.close(now);
    network.run(Duration::from_secs(1));
    assert_eq!(ended(&network), Some(&EndReason::Closed));
    assert!(network.viewer.closed);
}

#[test]
fn an_offer_names_one_media_stream_for_all_and_only_what_is_sent() {
    let offer = offer(&config(&[VIDEO, AUDIO], None));
    let lines: Vec<_> = offer.lines().collect();
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("m=video"), 1);
    assert_eq!(count("m=audio"), 1);
    assert_eq!(count("a=sendonly"), 2);
    assert!(count("VP8/90000") == 1 && count("opus/48000") == 1);
    assert_eq!(count("VP9/90000") + count("H264/90000"), 0);
    assert_eq!(count("a=group:BUNDLE"), 1);
    let msid = lines.iter().filter_map(|line| line.strip_prefix("a=msid:"));
    assert!(msid.eq(["wigwag wigwag-1", "wigwag wigwag-0"]));
}

#[test]
fn a_viewer_may_offer() {
    for start_bitrate in [None, Some(4_000_000)] {
        let mut viewer = viewer();
        let mut changes = viewer.rtc.sdp_api();
        // One section more than we have streams for, and in another order.
        for kind in [MediaKind::Audio, MediaKind::Video, MediaKind::Video] {
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().expect("an offer");
        let config = config(&[VIDEO, AUDIO], start_bitrate);
        let now = Instant::now();
        let (session, answer) = Session::answer(
            &config,
            &offer.to_sdp_string(),
            &[],
            &[address(SENDER)],
            now,
        )
        .expect("an answer");
        let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
        let accepted = viewer.rtc.sdp_api().accept_answer(pending, answer);
        accepted.expect("an answer that can be used");
        let mut network = Network::new(session, viewer, now);
        network.run(Duration::from_secs(3));
        assert!(network.events.contains(&SessionEvent::Connected));
        play(&mut network, 30);
        assert_eq!(network.viewer.packets.len(), 30 * 8);
    }
}

#[test]
fn offers_that_cannot_be_used_are_refused() {
    let now = Instant::now();
    let config = config(&[VIDEO], None);
    let refusal = |offer: &str| {
        let made = Session::answer(&config, offer, &[], &[address(SENDER)], now);
        made.map(|_| ()).expect_err("it cannot be used")
    };
    assert_eq!(refusal("nonsense"), PeerError::MalformedDescription.into());
    refusal("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");

    let only_vp9 = |config: RtcConfig| config.clear_codecs().enable_vp9(true);
    let mut viewer = Viewer::new(only_vp9, now);
    let mut changes = viewer.rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, _) = changes.apply().expect("an offer");
    assert_no_common_codec(&refusal(&offer.to_sdp_string()).into());
}

#[test]
fn there_must_be_something_to_offer() {
    let now = Instant::now();
    let nothing = Session::offer(&config(&[], None), &[address(SENDER)], now);
    assert_eq!(nothing.map(|_| ()), Err(ConfigError::NothingToOffer.into()));
}
