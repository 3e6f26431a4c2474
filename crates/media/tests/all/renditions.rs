//! Which rendition a viewer gets, what is counted, and when sending pauses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wigwag_media::demand::Handover;
use wigwag_media::frame::Frame;
use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::session::{Codec, CodecConfig, FEEDBACK_TIMEOUT, Session, SessionEvent};

use crate::virtual_network::{Network, SENDER, Viewer, address, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const AUDIO: (StreamId, Codec) = (StreamId(1), Codec::Opus);
const SCREEN: (StreamId, Codec) = (StreamId(7), Codec::Vp8);

const FRAME: Duration = Duration::from_millis(33);

fn viewer() -> Viewer {
    Viewer::new(|config| config, Instant::now())
}

fn rendition(stream: StreamId, codec: u32, level: u8) -> RenditionId {
    RenditionId {
        stream,
        codec,
        level,
    }
}

/// A frame of one packet of another rendition.
fn frame_of(rendition: RenditionId, rtp_time: u32, network: &Network, key: bool) -> Arc<Frame> {
    let frame = frame(rendition.stream, rtp_time, network.now, key, 1);
    Arc::new(Frame {
        rendition,
        packets: vec![vec![rendition.codec as u8, rendition.level, u8::from(key)].into()],
        ..Arc::unwrap_or_clone(frame)
    })
}

/// The renditions that a viewer is sent, by the first bytes of its packets.
fn seen(network: &Network) -> Vec<(u8, u8)> {
    let packets = network.viewer.packets.iter();
    packets
        .map(|packet| (packet.payload[0], packet.payload[1]))
        .collect()
}

#[test]
fn packets_name_the_sections_as_the_offer_does() {
    let streams = [AUDIO, SCREEN];
    let mut network = Network::connected(&config(&streams, None), viewer());
    for (stream, _) in streams {
        let picture = frame(stream, 0, network.now, true, 1);
        network.session.send_frame(&picture, network.now);
    }
    network.run(FRAME * 10);
    let mids = network
        .viewer
        .packets
        .iter()
        .map(|packet| packet.header.ext_vals.mid);
    let mut mids: Vec<_> = mids.map(|mid| mid.expect("a mid").to_string()).collect();
    mids.sort();
    assert_eq!(mids, ["audio0", "video1"]);
}

#[test]
fn a_viewer_gets_the_rendition_that_it_is_given_from_a_key_frame_on() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    let (low, high) = (rendition(VIDEO.0, 0, 0), rendition(VIDEO.0, 0, 1));
    let mut time = 0;
    let mut send = |network: &mut Network, key: bool| {
        time += 3_000;
        for rendition in [low, high] {
            let frame = frame_of(rendition, time, network, key);
            network.session.send_frame(&frame, network.now);
        }
        network.run(FRAME);
    };
    send(&mut network, true);
    send(&mut network, false);
    network.events.clear();
    network
        .session
        .assign(high, Handover::AskForKeyFrame, network.now);
    send(&mut network, false);
    assert_eq!(network.events, [SessionEvent::KeyFrameWanted(VIDEO.0)]);
    send(&mut network, true);
    send(&mut network, false);
    network.session.assign(
        rendition(VIDEO.0, 9, 0),
        Handover::AskForKeyFrame,
        network.now,
    );
    send(&mut network, true);
    network.run(FRAME * 3);
    assert_eq!(
        seen(&network),
        [(0, 0), (0, 0), (0, 0), (0, 0), (0, 1), (0, 1), (0, 1)]
    );
    let times = network
        .viewer
        .packets
        .iter()
        .map(|packet| packet.header.timestamp);
    // At the fourth moment both made a key frame, and the viewer must not take them for one.
    assert!(times.eq([3_000, 6_000, 9_000, 12_000, 12_001, 15_000, 18_000]));
    assert_eq!(network.session.statistics().frames_sent, 7);
    assert_eq!(network.session.statistics().frames_dropped, 0);
}

#[test]
fn a_viewer_may_change_the_codec_without_a_new_session() {
    let h264 = Codec::H264 {
        profile_level_id: 0x42e01f,
    };
    let mut config = config(&[VIDEO], None);
    config.streams[0].codecs.push(CodecConfig {
        number: 5,
        alternate_number: None,
        codec: h264,
        colour_space: None,
    });
    let mut network = Network::connected(&config, viewer());
    let agreed = SessionEvent::Negotiated(vec![(VIDEO.0, vec![0, 5])]);
    assert_eq!(network.events[0], agreed);
    for (number, codec) in [(1, 0), (2, 5), (3, 0)] {
        let given = rendition(VIDEO.0, codec, 0);
        network
            .session
            .assign(given, Handover::AskForKeyFrame, network.now);
        let frame = frame_of(given, number * 3_000, &network, true);
        network.session.send_frame(&frame, network.now);
        network.run(FRAME);
    }
    network.run(FRAME * 3);
    assert_eq!(seen(&network), [(0, 0), (5, 0), (0, 0)]);
    let packets = network.viewer.packets.iter();
    let types: Vec<u8> = packets.map(|packet| *packet.header.payload_type).collect();
    // H.264 is offered under two names.
    let expected = [[96, 98, 96], [96, 100, 96]];
    assert!(
        expected.iter().any(|expected| types == *expected),
        "{types:?}"
    );
}

#[test]
fn statistics_count_what_happened() {
    let mut network = Network::connected(&config(&[VIDEO], Some(4_000_000)), viewer());
    assert!(network.session.statistics().connected_after.is_some());
    for number in 0..30 {
        let picture = frame(VIDEO.0, number * 3_000, network.now, number == 0, 8);
        network.session.send_frame(&picture, network.now);
        network.run(FRAME);
    }
    let mid = network.viewer.packets[0].header.ext_vals.mid;
    network.viewer.ask_for_key_frame(mid.expect("a mid"));
    network.run(Duration::from_secs(1));
    let statistics = network.session.statistics();
    assert_eq!(
        (statistics.frames_sent, statistics.key_frames_sent),
        (30, 1)
    );
    assert_eq!(statistics.frames_dropped, 0);
    assert_eq!(statistics.key_frames_asked, 1);
    assert!(statistics.packets_sent >= 240 && statistics.bytes_sent > 240_000);
    assert!(statistics.datagrams_received > 10);
    assert!(
        statistics
            .estimate
            .is_some_and(|estimate| estimate > 300_000)
    );
    let round_trip = statistics.round_trip.expect("it was measured");
    // The path takes 40 ms; packets of a burst are noted as sent a little later than they were.
    assert!(
        (39..=120).contains(&round_trip.as_millis()),
        "{round_trip:?}"
    );
    assert_eq!(statistics.fraction_lost, Some(0.0));
}

/// Sends a frame of one packet every 33 ms and returns how many went out.
fn sent_in(network: &mut Network, time: Duration) -> u64 {
    let before = network.session.statistics().frames_sent;
    let end = network.now + time;
    while network.now < end {
        let elapsed = u32::try_from(network.now.elapsed().as_millis()).unwrap_or_default();
        let picture = frame(VIDEO.0, elapsed, network.now, true, 1);
        network.session.send_frame(&picture, network.now);
        network.run(FRAME);
    }
    network.session.statistics().frames_sent - before
}

#[test]
fn sending_pauses_when_regular_reports_stop() {
    let mut network = Network::connected(&config(&[VIDEO], Some(2_000_000)), viewer());
    assert!(sent_in(&mut network, Duration::from_secs(5)) > 140);
    network.viewer_is_heard = false;
    assert!(sent_in(&mut network, FEEDBACK_TIMEOUT) > 50);
    let attempts = sent_in(&mut network, Duration::from_secs(4));
    assert!((2..=6).contains(&attempts), "{attempts} frames went out");
    network.viewer_is_heard = true;
    sent_in(&mut network, Duration::from_secs(2));
    assert!(sent_in(&mut network, Duration::from_secs(2)) > 55);
    assert!(!network.session.is_over());
}

#[test]
fn sending_goes_on_when_reports_were_rare() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    assert!(sent_in(&mut network, Duration::from_secs(5)) > 140);
    network.viewer_is_heard = false;
    assert!(sent_in(&mut network, Duration::from_secs(8)) > 230);
}

#[test]
fn a_reflexive_candidate_is_told_once() {
    let now = Instant::now();
    let made = Session::offer(&config(&[VIDEO], None), &[address(SENDER)], now);
    let (mut session, _) = made.expect("an offer");
    let mapped = address("203.0.113.7:40000");
    let mut add = |mapped| session.add_reflexive_candidate(address(SENDER), mapped, now);
    let candidate = add(mapped).expect("it is of use");
    assert!(candidate.starts_with("candidate:"), "{candidate}");
    assert!(
        candidate.contains(" 203.0.113.7 40000 typ srflx raddr "),
        "{candidate}"
    );
    assert_eq!(add(mapped), None, "it is known");
    assert_eq!(add(address("0.0.0.0:1")), None);
}

#[test]
fn a_session_knows_its_datagrams_and_its_name() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    let now = network.now;
    let unknown = network.session.handle_datagram(
        address("203.0.113.9:7000"),
        address(SENDER),
        &[1; 40],
        now,
    );
    assert!(!unknown);
    let (session, offer) =
        Session::offer(&config(&[VIDEO], None), &[address(SENDER)], now).expect("an offer");
    assert!(offer.contains(&format!("a=ice-ufrag:{}\r\n", session.local_ufrag())));
    assert!(!session.is_over());
}

#[test]
fn viewer_that_awaits_a_key_frame_asks_for_none_and_is_told_of_the_change() {
    let mut network = Network::connected(&config(&[VIDEO], None), viewer());
    let (low, high) = (rendition(VIDEO.0, 0, 0), rendition(VIDEO.0, 0, 1));
    let send = |network: &mut Network, time: u32, key: bool| {
        for rendition in [low, high] {
            let key = key && (rendition == high || time == 0);
            let frame = frame_of(rendition, 3_000 * (time + 1), network, key);
            network.session.send_frame(&frame, network.now);
        }
        network.run(FRAME);
    };
    send(&mut network, 0, true);
    network.events.clear();
    network
        .session
        .assign(high, Handover::AwaitKeyFrame, network.now);
    for time in 1..60 {
        send(&mut network, time, false);
    }
    assert_eq!(network.events, []);
    send(&mut network, 60, true);
    assert_eq!(network.events, [SessionEvent::Switched(high)]);
}
