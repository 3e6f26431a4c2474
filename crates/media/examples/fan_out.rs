//! Sends a stream of 2 Mbit/s to many viewers of the same process over the loopback interface, and prints what the
//! sending threads took: for profiles of the path of a packet.
//!
//! `cargo run --release -p wigwag-media --example fan_out -- VIEWERS SECONDS [RATE|none]`; RATE is where congestion
//! control starts, in bit/s, and `none` does without it.

#[path = "../tests/all/engine_stage/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a module of tests, which use the rest"
)]
mod engine_stage;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_stage::{Stage, engine, frame, localhost, rendition};
use wigwag_media::session::SessionConfig;

/// From one frame to the next: 30 a second.
const FRAME: Duration = Duration::from_micros(33_333);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        let argument = arguments.next();
        argument.map_or(Some(default), |text| text.parse().ok())
    };
    let viewers = number(100).expect("a number of viewers");
    let seconds = number(10).expect("a number of seconds");
    let start_bitrate = number(2_500_000);
    let mut stage = Stage::new(engine(1, &[localhost()]));
    stage.config = Arc::new(SessionConfig {
        start_bitrate,
        max_wait: Duration::from_secs(1),
        ..(*stage.config).clone()
    });
    for first in (0..viewers).step_by(20) {
        let end = (first + 20).min(viewers);
        (first..end).for_each(|viewer| stage.add(wigwag_media::ids::ViewerId(viewer)));
        stage.wait_connected(end);
    }
    for viewer in 0..viewers {
        let viewer = wigwag_media::ids::ViewerId(viewer);
        stage.publication().set_rates(viewer, 2_000_000, 2_500_000);
    }
    // The estimates settle first.
    let mut sent = 0;
    play(&stage, &mut sent, 2);
    let before = (stage.engine.statistics(), shard_seconds());
    play(&stage, &mut sent, seconds);
    let after = (stage.engine.statistics(), shard_seconds());
    let packets = (after.0.datagrams_sent - before.0.datagrams_sent) as f64;
    let calls = (after.0.send_calls - before.0.send_calls) as f64;
    let took = after.1 - before.1;
    let ids = (0..viewers).map(wigwag_media::ids::ViewerId);
    let frames = ids.map(|viewer| stage.video(viewer).map_or(0, |video| video.frames));
    let least = frames.min().unwrap_or_default();
    println!(
        "{viewers} viewers: {:.2} us a packet, {packets} packets, {:.1} a call, {:.0} received, {took:.2} s of the shard in {seconds} s, at least {least} of {sent} frames",
        took * 1e6 / packets,
        packets / calls,
        after.0.datagrams_received - before.0.datagrams_received,
    );
}

fn play(stage: &Stage, sent: &mut u32, seconds: u64) {
    let start = Instant::now();
    for number in 0..seconds as u32 * 30 {
        let due = start + FRAME * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        stage
            .publication()
            .send_frame(frame(rendition(0), *sent, number % 90 == 0));
        *sent += 1;
    }
}

/// Processor time of the sending threads.
fn shard_seconds() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux tells");
    let shards = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let spent = fs::read_to_string(path.join("schedstat")).ok()?;
        let nanoseconds: f64 = spent.split(' ').next()?.parse().ok()?;
        name.starts_with("wigwag-shard")
            .then_some(nanoseconds / 1e9)
    });
    shards.sum()
}
