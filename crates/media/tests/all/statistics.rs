//! What a session says of its streams and its path, in virtual time.

use std::time::{Duration, Instant};

use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::session::{CandidateKind, Codec, Session, SessionStatistics, StreamStatistics};

use crate::virtual_network::{Link, Network, SENDER, VIEWER, Viewer, address, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const AUDIO: (StreamId, Codec) = (StreamId(1), Codec::Opus);

const SECOND: Duration = Duration::from_secs(1);
const FRAMES_PER_SECOND: u32 = 25;
const FRAME: Duration = Duration::from_millis(40);

/// The time of a frame in the RTP clocks of both kinds.
const VIDEO_STEP: u32 = 3_600;
const AUDIO_STEP: u32 = 1_920;

fn connected(streams: &[(StreamId, Codec)], start_bitrate: Option<u64>) -> Network {
    let viewer = Viewer::new(|config| config, Instant::now());
    Network::connected(&config(streams, start_bitrate), viewer)
}

/// Sends frames of so many packets of 1,000 bytes for a while, and one packet of sound with each.
fn send_for(network: &mut Network, time: Duration, packets: usize) {
    let end = network.now + time;
    while network.now < end {
        let number = stream(network, AUDIO.0).frames_sent as u32;
        for (stream, step, packets) in [(VIDEO.0, VIDEO_STEP, packets), (AUDIO.0, AUDIO_STEP, 1)] {
            let frame = frame(stream, number * step, network.now, number == 0, packets);
            network.session.send_frame(&frame, network.now);
        }
        network.run(FRAME);
    }
}

fn stream(network: &Network, stream: StreamId) -> StreamStatistics {
    let streams = network.session.statistics().streams;
    let found = streams.into_iter().find(|known| known.stream == stream);
    found.expect("it was offered")
}

/// Whether a rate is that of so many packets of 1,000 bytes a frame, with what headers add.
fn is_rate_of(rate: u64, packets: u64) -> bool {
    let payloads = packets * 8_000 * u64::from(FRAMES_PER_SECOND);
    (payloads..payloads * 12 / 10).contains(&rate)
}

#[test]
fn rates_are_of_the_last_second_and_of_each_stream() {
    let mut network = connected(&[VIDEO, AUDIO], None);
    assert_eq!(network.session.statistics().bitrate, 0);
    send_for(&mut network, 3 * SECOND, 8);
    let (video, audio) = (stream(&network, VIDEO.0), stream(&network, AUDIO.0));
    assert!(is_rate_of(video.bitrate, 8), "{video:?}");
    assert!(is_rate_of(audio.bitrate, 1), "{audio:?}");
    assert!(is_rate_of(network.session.statistics().bitrate, 9));
    send_for(&mut network, SECOND * 5 / 4, 2);
    let video = stream(&network, VIDEO.0);
    assert!(is_rate_of(video.bitrate, 2), "{video:?}");
    network.run(2 * SECOND);
    let statistics = network.session.statistics();
    // Checks and reports are no media.
    assert_eq!(statistics.bitrate, 0);
    assert_eq!(stream(&network, VIDEO.0).bitrate, 0);
}

#[test]
fn streams_are_counted_each_by_itself_and_add_up() {
    let mut network = connected(&[VIDEO, AUDIO], Some(4_000_000));
    let before = network.session.statistics();
    assert_eq!(before.streams.len(), 2);
    assert_eq!(before.first_frame_after, None);
    let began = network.now;
    // What is lost is known once the viewer reported twice while media came, for sound every five seconds.
    send_for(&mut network, 15 * SECOND, 4);
    let mids = network.viewer.packets.iter();
    let mids = mids.map(|packet| (packet.header.ext_vals.mid, *packet.header.ssrc));
    let mids: Vec<_> = mids.collect();
    let (mid, video_ssrc) = mids[0];
    network.viewer.ask_for_key_frame(mid.expect("a mid"));
    network.run(SECOND);
    let statistics = network.session.statistics();
    let (video, audio) = (stream(&network, VIDEO.0), stream(&network, AUDIO.0));
    let frames = u64::from(15 * FRAMES_PER_SECOND);
    assert_eq!((video.frames_sent, audio.frames_sent), (frames, frames));
    assert_eq!((video.key_frames_sent, audio.key_frames_sent), (1, 0));
    assert_eq!(video.ssrc, Some(video_ssrc));
    assert!(mids.iter().any(|(_, ssrc)| audio.ssrc == Some(*ssrc)));
    assert!(video.rtx_ssrc.is_some() && audio.rtx_ssrc.is_none());
    assert!(video.payload_type.is_some() && video.payload_type != audio.payload_type);
    let given = RenditionId {
        stream: VIDEO.0,
        codec: 0,
        level: 0,
    };
    assert_eq!((video.rendition, video.next_rendition), (Some(given), None));
    assert_eq!((video.picture_losses, audio.picture_losses), (1, 0));
    assert_eq!(audio.packets_sent, frames);
    assert!(audio.payload_bytes_sent == frames * 1_000 && audio.bytes_sent > frames * 1_000);
    assert!(video.payload_bytes_sent >= frames * 4_000, "{video:?}");
    let sum = |count: fn(&StreamStatistics) -> u64| count(&video) + count(&audio);
    assert_eq!(statistics.packets_sent, sum(|it| it.packets_sent));
    assert_eq!(statistics.bytes_sent, sum(|it| it.bytes_sent));
    assert_eq!(statistics.frames_sent, sum(|it| it.frames_sent));
    let first = statistics.first_frame_after.expect("there were some");
    let connected = statistics.connected_after.expect("it is");
    assert!(connected < first && first <= Duration::from_secs(3) + FRAME);
    assert!(network.now - began > first - connected);
    // The viewer reports on each.
    for stream in [video, audio] {
        let round_trip = stream.round_trip.expect("it was measured");
        assert!((39..=120).contains(&round_trip.as_millis()), "{stream:?}");
        assert_eq!(
            (stream.fraction_lost, stream.packets_lost),
            (Some(0.0), Some(0))
        );
        assert!(stream.jitter.is_some_and(|jitter| jitter < SECOND / 10));
    }
}

#[test]
fn what_a_path_cannot_take_is_seen() {
    let mut network = connected(&[VIDEO, AUDIO], Some(2_000_000));
    send_for(&mut network, 2 * SECOND, 4);
    assert_eq!(stream(&network, VIDEO.0).frames_waiting, 0);
    network.link = Link::limited(300_000, Duration::from_millis(300));
    let mut longest = (0, Duration::ZERO);
    for _ in 0..100 {
        send_for(&mut network, FRAME, 8);
        let video = stream(&network, VIDEO.0);
        longest = longest.max((video.frames_waiting, video.wait));
    }
    let (frames, wait) = longest;
    assert!(frames > 2, "{frames} waited");
    // One frame less than wait lies between the first and the last.
    let between = FRAME * (frames as u32 - 1);
    assert!(
        wait == between && wait <= Duration::from_millis(500),
        "{wait:?}"
    );
    let video = stream(&network, VIDEO.0);
    assert!(video.frames_dropped > 10, "{video:?}");
    assert!(video.nacks > 0 && video.packets_resent > 0, "{video:?}");
    assert!(video.bytes_resent > video.packets_resent * 1_000);
    assert!(video.bytes_resent < video.bytes_sent);
    let statistics = network.session.statistics();
    assert_eq!(statistics.packets_resent, video.packets_resent);
    assert!(statistics.bitrate < 1_000_000, "{statistics:?}");
}

#[test]
fn the_path_is_named() {
    let now = Instant::now();
    let viewer = Viewer::new(|config| config, now);
    let mut network = Network::negotiated(&config(&[VIDEO], None), viewer, now);
    assert_eq!(network.session.statistics().candidate_pair, None);
    network.run(4 * SECOND);
    let pair = network.session.statistics().candidate_pair.expect("a path");
    assert_eq!(pair.local.address, address(SENDER));
    assert_eq!(pair.local.kind, CandidateKind::Host);
    assert_eq!(pair.remote.address, address(VIEWER));
    assert_eq!(pair.remote.kind, CandidateKind::Host, "the answer has it");
    assert!(pair.responses_received > 0);
    let round_trip = pair.round_trip.expect("it was checked");
    assert!(
        (40..=60).contains(&round_trip.as_millis()),
        "{round_trip:?}"
    );
    assert!(pair.total_round_trip >= round_trip);
}

#[test]
fn a_viewer_that_told_no_address_is_peer_reflexive_until_it_does() {
    let now = Instant::now();
    let (session, offer) =
        Session::offer(&config(&[VIDEO], None), &[address(SENDER)], now).expect("an offer");
    let mut network = Network::new(session, Viewer::new(|config| config, now), now);
    let answer = network.viewer.answer(&offer);
    let is_candidate = |line: &&str| line.starts_with("a=candidate:");
    let (candidates, others): (Vec<_>, Vec<_>) = answer.lines().partition(is_candidate);
    let answer: String = others.iter().flat_map(|line| [*line, "\r\n"]).collect();
    network.session.handle_answer(&answer, &[], now);
    // It knows ours from the offer, and checks it.
    network.run(4 * SECOND);
    let kind = |statistics: SessionStatistics| {
        let pair = statistics.candidate_pair;
        pair.map(|pair| pair.remote.kind.as_str())
    };
    assert_eq!(kind(network.session.statistics()), Some("prflx"));
    network.session.handle_candidate(candidates[0], network.now);
    network.run(SECOND);
    assert_eq!(kind(network.session.statistics()), Some("host"));
}
