//! What one report of a viewer's estimate costs, with few and with very many viewers: `cargo xtask bench audience`.
//!
//! Prints a line for each number of viewers: the number, nanoseconds per estimate, nanoseconds per join. Time is virtual: each
//! viewer reports ten times a second, and the audience is woken when it wants to be.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wigwag_media::audience::{Audience, StreamRate};
use wigwag_media::demand::{DEFAULT_FLOOR, Policy};
use wigwag_media::ids::{PeerKey, StreamId, ViewerId};

const VIDEO: StreamId = StreamId(0);
const AUDIO: StreamId = StreamId(1);
/// Of each viewer, in virtual time.
const REPORTS: u32 = 50;
const INTERVAL: Duration = Duration::from_millis(100);

fn main() {
    let numbers = std::env::args().skip(1);
    for viewers in numbers.filter_map(|number| number.parse().ok()) {
        let (estimate, join) = measure(viewers);
        println!("{viewers} {} {}", estimate.as_nanos(), join.as_nanos());
    }
}

/// What an estimate and a join cost.
fn measure(viewers: u32) -> (Duration, Duration) {
    let policy = Policy {
        min_bitrate: 1_000,
        max_bitrate: 8_192_000,
        floor: DEFAULT_FLOOR,
    };
    let mut audience = Audience::new(policy, Some(2_048_000));
    audience.set_stream(VIDEO, StreamRate::Adaptive);
    audience.set_stream(AUDIO, StreamRate::Fixed(64_000));
    let mut now = Instant::now();
    let begun = Instant::now();
    for viewer in 0..viewers {
        let (id, peer) = (ViewerId(viewer.into()), PeerKey(viewer.into()));
        let taken = [(VIDEO, vec![0, 1]), (AUDIO, vec![9])];
        let joined = audience.handle_joined(id, peer, &taken, now);
        assert!(joined.is_ok(), "there is a codec for it");
        audience.handle_connected(id, now);
        now += Duration::from_micros(100);
        act(&mut audience, now);
    }
    let join = begun.elapsed() / viewers.max(1);
    let mut random = 1_u64;
    let begun = Instant::now();
    for _ in 0..REPORTS {
        for viewer in 0..viewers {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let rate = 2_000_000 + random % 1_000_000;
            audience.handle_estimate(ViewerId(viewer.into()), rate, now);
            now += INTERVAL / viewers;
            act(&mut audience, now);
        }
    }
    (begun.elapsed() / (REPORTS * viewers).max(1), join)
}

fn act(audience: &mut Audience, now: Instant) {
    if audience.poll_timeout().is_some_and(|at| at <= now) {
        audience.handle_timeout(now);
    }
    while let Some(action) = audience.poll_action() {
        black_box(action);
    }
}
