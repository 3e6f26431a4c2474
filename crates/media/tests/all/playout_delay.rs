//! Header extensions on time, in packets to a plain str0m viewer, in virtual time.

use std::time::{Duration, Instant};

use str0m::media::MediaTime;
use str0m::rtp::{Extension, RtpPacket};
use wigwag_media::ids::StreamId;
use wigwag_media::session::{Codec, PlayoutDelay};

use crate::virtual_network::{Network, Viewer, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const FRAME: Duration = Duration::from_millis(33);
const FRAMES: usize = 60;
const PACKETS: usize = 3;

/// What a viewer got, of which the test decides whether it takes the playout delay.
fn received(playout_delay: Option<PlayoutDelay>, takes_it: bool) -> Vec<RtpPacket> {
    let mut config = config(&[VIDEO], None);
    config.streams[0].playout_delay = playout_delay;
    let viewer = Viewer::new(
        |rtc| {
            let rtc = rtc.set_extension(6, Extension::AbsoluteCaptureTime);
            match takes_it {
                true => rtc.set_extension(5, Extension::PlayoutDelay),
                false => rtc,
            }
        },
        Instant::now(),
    );
    let mut network = Network::connected(&config, viewer);
    for number in 0..FRAMES as u32 {
        let now = network.now;
        let picture = frame(VIDEO.0, number * 3_000, now, number == 0, PACKETS);
        network.session.send_frame(&picture, now);
        network.run(FRAME);
    }
    network.run(Duration::from_millis(500));
    assert_eq!(network.viewer.packets.len(), FRAMES * PACKETS);
    network.viewer.packets
}

fn delay(packet: &RtpPacket) -> Option<(MediaTime, MediaTime)> {
    let values = &packet.header.ext_vals;
    values.play_delay_min.zip(values.play_delay_max)
}

#[test]
fn viewer_that_takes_the_playout_delay_gets_it_with_each_frame() {
    let range = PlayoutDelay::new(Duration::from_millis(20), Duration::from_millis(300));
    let packets = received(range, true);
    let wanted = Some((
        MediaTime::from_hundredths(2),
        MediaTime::from_hundredths(30),
    ));
    for frame in packets.chunks(PACKETS) {
        assert_eq!(delay(&frame[0]), wanted);
    }
}

#[test]
fn viewer_that_leaves_the_playout_delay_out_is_not_sent_it() {
    for (playout_delay, takes_it) in [(Some(PlayoutDelay::NONE), false), (None, true)] {
        let packets = received(playout_delay, takes_it);
        assert!(packets.iter().all(|packet| delay(packet).is_none()));
    }
}

#[test]
fn capture_times_are_as_far_apart_as_the_frames() {
    let packets = received(None, false);
    let times = packets.iter().filter_map(|packet| {
        let time = packet.header.ext_vals.abs_capture_time?.capture_time;
        Some((packet.header.timestamp, time))
    });
    let times: Vec<_> = times.collect();
    assert_eq!(times.len(), 2, "one a second in two seconds");
    let frames = (times[1].0 - times[0].0) / 3_000;
    let between = times[1].1.duration_since(times[0].1).expect("it goes on");
    let difference = between.abs_diff(frames * FRAME);
    assert!(difference < Duration::from_millis(1), "{difference:?}");
}
