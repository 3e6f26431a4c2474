//! What a viewer is sent of which nothing is heard any more, in virtual time: next to nothing, and nobody else pays for it.

use std::time::{Duration, Instant};

use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Codec, FEEDBACK_TIMEOUT, SILENCE_TIMEOUT, SessionEvent, SessionStatistics, TransportError,
};

use crate::virtual_network::{Network, Viewer, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const FRAME: Duration = Duration::from_millis(33);
const SECOND: Duration = Duration::from_secs(1);
/// Of a frame that goes out at once.
const FEW: usize = 4;
/// Of a frame that takes longer than it is until the next.
const MANY: usize = 200;

/// A viewer that has watched, and is not heard any more.
fn unheard() -> Network {
    let viewer = Viewer::new(|config| config, Instant::now());
    let mut network = Network::connected(&config(&[VIDEO], Some(2_000_000)), viewer);
    play(&mut network, 3 * SECOND, FEW);
    network.viewer_is_heard = false;
    network
}

/// Sends 30 frames a second of so many packets, each tenth a key frame.
fn play(network: &mut Network, time: Duration, packets: usize) {
    let end = network.now + time;
    let mut number = 0;
    while network.now < end {
        let time = (network.now - network.viewer.started).as_millis() as u32 * 90;
        let picture = frame(VIDEO.0, time, network.now, number % 10 == 0, packets);
        number += 1;
        network.session.send_frame(&picture, network.now);
        network.run(FRAME);
    }
}

fn statistics(network: &Network) -> SessionStatistics {
    network.session.statistics()
}

#[test]
fn a_viewer_that_freezes_is_sent_next_to_nothing_and_then_ends() {
    let mut network = unheard();
    play(&mut network, FEEDBACK_TIMEOUT + SECOND / 4, FEW);
    let before = statistics(&network);
    play(&mut network, 5 * SECOND, FEW);
    let after = statistics(&network);
    let frames = after.frames_sent - before.frames_sent;
    assert!((4..=6).contains(&frames), "one a second: {frames}");
    // str0m fills up a little.
    let bytes = after.bytes_sent - before.bytes_sent;
    assert!(bytes < 150 * 1_000 * FEW as u64 / 8, "{bytes}");
    play(&mut network, SILENCE_TIMEOUT, FEW);
    let over = SessionEvent::Ended(TransportError::ConsentExpired.into());
    assert!(network.events.contains(&over));
}

#[test]
fn an_attempt_is_a_whole_frame_and_nothing_that_is_older_than_the_pause() {
    let mut network = unheard();
    let before = network.viewer.packets.len();
    play(&mut network, FEEDBACK_TIMEOUT + 5 * SECOND, MANY);
    // Until the pause, packets come all the time; then there is time between two attempts.
    let packets = &network.viewer.packets[before..];
    let attempts: Vec<_> = packets
        .chunk_by(|one, next| next.timestamp - one.timestamp < SECOND / 4)
        .collect();
    let (until_pause, attempts) = attempts.split_first().expect("packets came");
    assert!((4..=6).contains(&attempts.len()), "{}", attempts.len());
    for attempt in attempts {
        let times = attempt.iter().map(|packet| packet.header.timestamp);
        let first = attempt[0].header.timestamp;
        assert_eq!(attempt.len(), MANY);
        assert!(times.into_iter().all(|time| time == first), "one frame");
        assert!(attempt[MANY - 1].header.marker);
    }
    let last = until_pause.last().expect("packets came");
    assert!(!last.header.marker, "its rest is not sent after all");
}

#[test]
fn frames_that_wait_in_a_pause_do_not_lower_the_estimate() {
    let mut network = unheard();
    play(&mut network, FEEDBACK_TIMEOUT + SECOND / 4, FEW);
    let before = statistics(&network).estimate.expect("it was estimated");
    let heard = network.events.len();
    let mut longest_wait = Duration::ZERO;
    for _ in 0..50 {
        play(&mut network, SECOND / 10, FEW);
        longest_wait = statistics(&network).streams[0].wait.max(longest_wait);
    }
    assert!(longest_wait > SECOND / 5, "{longest_wait:?}");
    let lowered = network.events[heard..]
        .iter()
        .find(|event| matches!(event, SessionEvent::Estimate(estimate) if *estimate < before));
    assert_eq!(lowered, None, "it was {before}");
}
