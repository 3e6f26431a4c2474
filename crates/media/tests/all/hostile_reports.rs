//! Reports (RTCP) of viewers that hold the keys and mean harm, several at once: the others get every frame.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wigwag_media::engine::{PLI_INTERVAL, VIEWER_WORK_PER_SECOND, ViewerEvent};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::{InternalError, SessionConfig};
use wigwag_receiver::rtcp;

use crate::engine_stage::{PATIENCE, Stage, VIDEO, config, engine, frame, localhost, rendition};

const FRAMES: u32 = 90;
const FRAME: Duration = Duration::from_millis(33);

/// What a hostile viewer reports about a source, each time something else.
type Report = fn(u32, &mut StdRng) -> Vec<u8>;

/// Each kind of report is sent by a viewer of its own.
const REPORTS: [(&str, Report); 8] = [
    ("lost everything", lost_everything),
    ("lost what never was", lost_what_never_was),
    ("absurd arrival times", absurd_arrivals),
    ("estimates out of range", absurd_estimates),
    ("absurd statistics", absurd_statistics),
    ("wishes for key frames", many_wishes),
    ("malformed compounds", malformed),
    ("chance", by_chance),
];

/// Of the reports of all hostile viewers.
const SOURCE: u32 = 7;

fn packet(count: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    rtcp::packet(SOURCE, count, kind, body)
}

fn compound(packets: &[Vec<u8>]) -> Vec<u8> {
    rtcp::compound(SOURCE, packets)
}

fn feedback(format: u8, kind: u8, about: u32, rest: &[u8]) -> Vec<u8> {
    rtcp::feedback(SOURCE, format, kind, about, rest)
}

fn lost_everything(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let first: u16 = chance.random();
    let lost = (0..250u16).flat_map(|number| {
        let number = first.wrapping_add(number * 17);
        [number.to_be_bytes(), [255, 255]].concat()
    });
    compound(&[feedback(1, 205, source, &lost.collect::<Vec<_>>())])
}

fn lost_what_never_was(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let lost: Vec<u8> = (0..400).map(|_| chance.random()).collect();
    let others = [0, u32::MAX, source.wrapping_add(1), chance.random()];
    compound(&others.map(|other| feedback(1, 205, other, &lost[..80])))
}

/// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).
fn absurd_arrivals(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.extend(chance.random::<u16>().to_be_bytes());
    // As many packets as there can be, or none.
    rest.extend([0, 1, 17, u16::MAX][chance.random_range(0..4)].to_be_bytes());
    // When the first came, and the number of the report.
    rest.extend(chance.random::<u32>().to_be_bytes());
    for _ in 0..chance.random_range(0..8) {
        // Runs of all that came late or early, and vectors.
        let chunk = [
            0x3fff,
            0x5fff,
            0x1fff,
            0xbfff,
            0xffff,
            chance.random::<u16>(),
        ];
        rest.extend(chunk[chance.random_range(0..6)].to_be_bytes());
    }
    for _ in 0..chance.random_range(0..120) {
        // The largest differences that there are, forwards and backwards.
        rest.extend([[0x80, 0x00], [0x7f, 0xff], [0xff, 0xff]][chance.random_range(0..3)]);
    }
    rest.resize(rest.len().next_multiple_of(4), 0);
    compound(&[feedback(15, 205, source, &rest)])
}

/// Receiver estimated maximum bitrates (draft-alvestrand-rmcat-remb-03, 2.2) of nothing and of up to 2^81 bit/s.
fn absurd_estimates(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let remb = |word: u32| {
        let mut rest = b"REMB".to_vec();
        rest.extend(word.to_be_bytes());
        rest.extend(source.to_be_bytes());
        feedback(15, 206, 0, &rest)
    };
    let one = 1 << 24;
    // No source is named, or more than there are.
    let words = [
        one,
        one | 0xff_ffff,
        one | 0xf0_0001,
        0xff << 24,
        0,
        chance.random(),
    ];
    compound(&words.map(remb))
}

fn absurd_statistics(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let block = |byte: u8| [source.to_be_bytes().to_vec(), vec![byte; 20]].concat();
    let noise: Vec<u8> = (0..20).map(|_| chance.random()).collect();
    compound(&[
        packet(1, 201, &block(255)),
        packet(1, 201, &block(0x7f)),
        packet(
            1,
            201,
            &[source.to_be_bytes().to_vec(), noise.clone()].concat(),
        ),
        // A sender report of one that sends nothing, and one in our name.
        packet(0, 200, &noise),
        packet(2, 200, &[noise, block(128), block(255)].concat()),
        // Many blocks are announced, and none is there.
        packet(31, 201, &[]),
    ])
}

fn many_wishes(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let pictures = (0..20).map(|_| feedback(1, 206, source, &[]));
    let full = (0..20).map(|_| {
        let number = u32::from(chance.random::<u8>()) << 24;
        feedback(
            4,
            206,
            0,
            &[source.to_be_bytes(), number.to_be_bytes()].concat(),
        )
    });
    compound(&pictures.chain(full).collect::<Vec<_>>())
}

fn malformed(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let mut good = compound(&[feedback(1, 205, source, &[0, 1, 0, 0]), packet(0, 202, &[])]);
    match chance.random_range(0..6) {
        // Lengths of more than there is, and of nothing.
        0 => good[2..4].copy_from_slice(&[255, 255]),
        1 => good[10..12].copy_from_slice(&[255, 255]),
        2 => good[10..12].copy_from_slice(&[0, 0]),
        // Padding of more than there is.
        3 => {
            good[8] |= 0x20;
            good.extend([255; 4]);
        }
        // Another version, and a farewell in our name with a reason that is longer than the packet.
        4 => good[8] = 0x01,
        _ => good.extend(packet(
            2,
            203,
            &[&source.to_be_bytes()[..], &[255, 1, 2, 3]].concat(),
        )),
    }
    good
}

fn by_chance(source: u32, chance: &mut StdRng) -> Vec<u8> {
    let length = chance.random_range(0..300) * 4;
    let mut body: Vec<u8> = (0..length).map(|_| chance.random()).collect();
    if let Some(about) = body.get_mut(..4) {
        about.copy_from_slice(&source.to_be_bytes());
    }
    let kind = chance.random_range(192..224);
    compound(&[packet(chance.random_range(0..32), kind, &body)])
}

fn with_congestion_control() -> Arc<SessionConfig> {
    Arc::new(SessionConfig {
        start_bitrate: Some(20_000_000),
        ..(*config()).clone()
    })
}

#[test]
fn viewers_that_report_nonsense_and_hold_the_keys_harm_only_themselves() {
    let hostile: Vec<_> = (0..REPORTS.len() as u64).map(ViewerId).collect();
    let good = [8, 9].map(ViewerId);
    let mut stage = Stage::new(engine(1, &[localhost()]));
    stage.config = with_congestion_control();
    stage.by_headers.extend(hostile.iter().copied());
    stage.join(10);
    let mut chance = StdRng::seed_from_u64(16);
    let begin = Instant::now();
    for number in 0..FRAMES {
        let frame = frame(rendition(0), stage.next_number(), number % 30 == 0);
        stage.publication().send_frame(frame);
        for (viewer, (_, report)) in hostile.iter().zip(REPORTS) {
            for _ in 0..10 {
                let id = stage.viewers[viewer];
                let sent = stage.receivers.send_reports(id, |sources| match sources {
                    [] => Vec::new(),
                    [source, ..] => report(*source, &mut chance),
                });
                sent.expect("the viewer is there");
            }
        }
        stage.carry(FRAME);
    }
    stage.wait("every frame arrives", |stage| {
        good.iter()
            .all(|viewer| stage.video(*viewer).map_or(0, |video| video.frames) >= u64::from(FRAMES))
    });
    let took = begin.elapsed();
    for viewer in good {
        let video = stage.video(viewer).expect("it was there");
        assert_eq!((video.frames, video.missing), (u64::from(FRAMES), 0));
        assert_eq!(stage.end(viewer), None);
    }
    let statistics = stage.publication().statistics(PATIENCE);
    for (viewer, (name, _)) in hostile.iter().zip(REPORTS) {
        let end = stage.end(*viewer);
        // Where sums are checked, as in tests, str0m may panic at such times; its session ends, and no other.
        let may_panic = name == "absurd arrival times";
        assert!(
            end != Some(&InternalError::Panicked.into()) || may_panic,
            "{name}"
        );
        assert_ne!(end, Some(&InternalError::DidNotConverge.into()), "{name}");
        let Some(counted) = statistics.get(viewer) else {
            continue;
        };
        // What it sent was looked at, up to its limit.
        assert!(counted.datagrams_received > 20, "{name}: {counted:?}");
        let most = f64::from(VIEWER_WORK_PER_SECOND) * (took.as_secs_f64() + 3.0);
        assert!(
            (counted.datagrams_received as f64) < most,
            "{name}: {counted:?}"
        );
        // What is sent again has the room that the path has left, not what is asked for.
        assert!(
            counted.bytes_resent <= 2 * counted.bytes_sent,
            "{name}: {counted:?}"
        );
        let wishes = stage.reported[viewer].iter();
        let wishes = wishes.filter(|event| **event == ViewerEvent::KeyFrameWanted(VIDEO));
        let wishes = u32::try_from(wishes.count()).expect("not that many");
        assert!(PLI_INTERVAL * wishes <= took + 2 * PLI_INTERVAL, "{name}");
    }
}
