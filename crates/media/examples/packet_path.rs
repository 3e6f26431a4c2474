//! Sends so many frames of eight packets to one viewer in virtual time, and prints how many packets that were: what
//! `cargo xtask bench packet-path` counts instructions of.
//!
//! `packet_path FRAMES`

#[path = "../tests/all/virtual_network/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a module of tests, which use the rest"
)]
mod virtual_network;

use std::time::{Duration, Instant};

use virtual_network::{Network, Viewer, config, frame};
use wigwag_media::ids::StreamId;
use wigwag_media::session::Codec;

const VIDEO: StreamId = StreamId(0);
const FRAME: Duration = Duration::from_micros(33_333);
const PACKETS: usize = 8;
/// As in `fan_out`: the estimate is above what is sent.
const START_BITRATE: u64 = 2_500_000;

fn main() {
    let frames = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let frames: u32 = frames.expect("a number of frames");
    let viewer = Viewer::new(|config| config, Instant::now());
    let mut network =
        Network::connected(&config(&[(VIDEO, Codec::Vp8)], Some(START_BITRATE)), viewer);
    for number in 0..frames {
        let picture = frame(VIDEO, number * 3_000, network.now, number == 0, PACKETS);
        network.session.send_frame(&picture, network.now);
        network.run(FRAME);
    }
    let statistics = network.session.statistics();
    assert_eq!(
        statistics.frames_sent,
        u64::from(frames),
        "the path has room for all"
    );
    println!("{}", statistics.packets_sent);
}
