//! A sender that obeys its estimates, over links that change, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wigwag_media::frame::Frame;
use wigwag_media::ids::{Bitrate, RenditionId, StreamId};
use wigwag_media::session::{Codec, SessionEvent};

use crate::virtual_network::{Link, Network, Viewer, config};

const VIDEO: StreamId = StreamId(0);
const FRAME: Duration = Duration::from_micros(33_333);
const FRAMES_PER_SECOND: u64 = 30;
const MOST: Bitrate = 3_500_000;
const LEAST: Bitrate = 100_000;
const DEEP_QUEUE: Duration = Duration::from_millis(300);

/// An encoder that makes what it is told, of frames of one size but key frames of three.
struct Sender {
    network: Network,
    start: Instant,
    bitrate: Bitrate,
    estimate: Bitrate,
    wants_key: bool,
    frames: u32,
    packets_of: Vec<usize>,
    /// How many packets and events were looked at.
    looked_at: (usize, usize),
    /// When each frame was complete, by its number.
    complete: BTreeMap<u32, Duration>,
    arrived_of: BTreeMap<u32, usize>,
}

/// What a viewer noticed in a while.
#[derive(Debug)]
struct Noticed {
    /// Of all that was sent in the while.
    arrived: f64,
    /// From the capture of a frame until it was complete.
    latest: Duration,
    /// Between two complete frames.
    gap: Duration,
    /// In bit/s, of everything on the link.
    rate: u64,
    estimate: Bitrate,
}

impl Sender {
    fn new(link: Link, start_bitrate: Bitrate) -> Self {
        let viewer = Viewer::new(|config| config, Instant::now());
        let config = config(&[(VIDEO, Codec::Vp8)], Some(start_bitrate));
        let mut network = Network::connected(&config, viewer);
        network.link = link;
        let now = network.now;
        network.session.set_rates(start_bitrate, MOST, now);
        Self {
            start: now,
            network,
            bitrate: start_bitrate,
            estimate: start_bitrate,
            wants_key: true,
            frames: 0,
            packets_of: Vec::new(),
            looked_at: (0, 0),
            complete: BTreeMap::new(),
            arrived_of: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let now = self.network.now;
        let key = std::mem::take(&mut self.wants_key);
        let bytes = self.bitrate / 8 / FRAMES_PER_SECOND * if key { 3 } else { 1 };
        let packets = (bytes as usize).div_ceil(1_100).max(1);
        let payload = |_| {
            let mut payload = self.frames.to_be_bytes().to_vec();
            payload.resize((bytes as usize / packets).max(8), 0);
            payload.into()
        };
        let frame = Frame {
            rendition: RenditionId {
                stream: VIDEO,
                codec: 0,
                level: 0,
            },
            rtp_time: self.frames * 3_000,
            wall_clock: now,
            key,
            temporal_layer: 0,
            packets: (0..packets).map(payload).collect(),
        };
        self.packets_of.push(packets);
        self.frames += 1;
        self.network.session.send_frame(&Arc::new(frame), now);
        self.network.run(FRAME);
        let (packets, events) = self.looked_at;
        for event in &self.network.events[events..] {
            match event {
                SessionEvent::Estimate(estimate) => self.estimate = *estimate,
                SessionEvent::KeyFrameWanted(_) => self.wants_key = true,
                SessionEvent::Ended(reason) => panic!("{reason}"),
                _ => {}
            }
        }
        for packet in &self.network.viewer.packets[packets..] {
            let number = packet.payload[..4].try_into().map(u32::from_be_bytes);
            let number = number.expect("four bytes");
            let arrived = self.arrived_of.entry(number).or_default();
            *arrived += 1;
            if *arrived == self.packets_of[number as usize] {
                let at = packet.timestamp.saturating_duration_since(self.start);
                self.complete.insert(number, at);
            }
        }
        self.looked_at = (self.network.viewer.packets.len(), self.network.events.len());
        let bitrate = (self.estimate * 9 / 10).clamp(LEAST, MOST);
        if bitrate != self.bitrate {
            self.bitrate = bitrate;
            let now = self.network.now;
            self.network.session.set_rates(bitrate, MOST, now);
        }
    }

    /// Sends for a while. What is under way at its end does not count.
    fn send_for(&mut self, time: Duration) -> Noticed {
        let first = self.frames;
        let (from, bytes) = (self.network.now, self.network.link.passed_bytes);
        while self.network.now - from < time {
            self.step();
        }
        let seconds = (self.network.now - from).as_secs_f64();
        let last = self.frames.saturating_sub(15).max(first);
        let complete: Vec<_> = self.complete.range(first..last).collect();
        let captured = |number: u32| (from - self.start) + FRAME * (number - first);
        let late = complete
            .iter()
            .map(|(number, at)| at.saturating_sub(captured(**number)));
        let mut times: Vec<_> = complete.iter().map(|(_, at)| **at).collect();
        times.sort();
        let gaps = times.windows(2).map(|two| two[1] - two[0]);
        Noticed {
            arrived: complete.len() as f64 / f64::from((last - first).max(1)),
            latest: late.max().unwrap_or_default(),
            gap: gaps.max().unwrap_or_default(),
            rate: ((self.network.link.passed_bytes - bytes) as f64 * 8.0 / seconds) as u64,
            estimate: self.estimate,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Nothing was missing, nothing was late, and nothing stood still for long.
fn assert_smooth(noticed: &Noticed, latest: Duration) {
    assert!(noticed.arrived >= 0.99, "{noticed:?}");
    assert!(noticed.latest < latest, "{noticed:?}");
    assert!(noticed.gap < Duration::from_millis(250), "{noticed:?}");
}

#[test]
fn a_narrow_link_is_used_well_and_frames_come_in_time() {
    let mut sender = Sender::new(Link::limited(800_000, DEEP_QUEUE), 2_000_000);
    sender.send_for(8 * SECOND);
    let settled = sender.send_for(20 * SECOND);
    assert_smooth(&settled, Duration::from_millis(300));
    assert!((560_000..=800_000).contains(&settled.rate), "{settled:?}");
}

#[test]
fn a_link_that_narrows_is_followed_down_and_up_again() {
    let mut sender = Sender::new(Link::limited(4_000_000, DEEP_QUEUE), 2_000_000);
    let wide = sender.send_for(10 * SECOND);
    assert_smooth(&wide, Duration::from_millis(200));
    assert!(wide.estimate > 3_000_000, "{wide:?}");

    sender.network.link.rate = Some(800_000);
    let begin = sender.network.now;
    while sender.estimate > 800_000 {
        sender.step();
        assert!(
            sender.network.now - begin < 2 * SECOND,
            "{}",
            sender.estimate
        );
    }
    let falling = 3 * SECOND - (sender.network.now - begin);
    sender.send_for(falling);
    let narrow = sender.send_for(18 * SECOND);
    assert_smooth(&narrow, Duration::from_millis(300));
    assert!(narrow.rate > 560_000, "{narrow:?}");

    sender.network.link.rate = Some(4_000_000);
    let rising = sender.send_for(20 * SECOND);
    assert_smooth(&rising, Duration::from_millis(300));
    let risen = sender.send_for(5 * SECOND);
    assert_smooth(&risen, Duration::from_millis(200));
    assert!(
        risen.estimate > 3_000_000 && risen.rate > 2_500_000,
        "{risen:?}"
    );
}

#[test]
fn losses_by_chance_are_repaired_and_change_little() {
    let mut sender = Sender::new(Link::limited(4_000_000, DEEP_QUEUE), 2_000_000);
    sender.network.link.loss = 0.05;
    sender.send_for(5 * SECOND);
    let noticed = sender.send_for(15 * SECOND);
    assert_smooth(&noticed, Duration::from_millis(400));
    assert!(noticed.rate > 2_000_000, "{noticed:?}");
    let statistics = sender.network.session.statistics();
    let lost = sender.network.link.lost;
    assert!(lost > 300, "{lost}");
    assert!(statistics.packets_resent >= lost * 9 / 10, "{statistics:?}");
    assert!(statistics.nacks > 0);
    let share = statistics.fraction_lost.expect("it is reported");
    assert!((0.0..0.2).contains(&share), "{share}");
    let round_trip = statistics.round_trip.expect("it is measured");
    assert!(
        (40..200).contains(&round_trip.as_millis()),
        "{round_trip:?}"
    );
}

#[test]
fn frames_that_wait_lower_the_estimate_before_they_are_dropped() {
    let mut sender = Sender::new(Link::limited(4_000_000, DEEP_QUEUE), 2_000_000);
    sender.send_for(5 * SECOND);
    sender.network.link.rate = Some(100_000);
    let dropped = |sender: &Sender| sender.network.session.statistics().frames_dropped;
    let before = dropped(&sender);
    let begin = sender.network.now;
    while sender.estimate > 1_000_000 {
        sender.step();
        assert!(
            sender.network.now - begin < 2 * SECOND,
            "{}",
            sender.estimate
        );
    }
    assert_eq!(dropped(&sender), before);
}
