//! Shards that are too busy, and receivers of events that are too full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wigwag_media::engine::{
    MAX_WAITING_COMMANDS, MAX_WAITING_FRAMES, PublicationConfig, ViewerEvent,
};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::LimitError;

use crate::engine_stage::{PATIENCE, Stage, VIDEO, engine, frame, localhost, rendition};

const ONE: ViewerId = ViewerId(0);

/// A handler that holds the shard while it is closed.
struct Barrier {
    closed: Arc<AtomicBool>,
    held: Arc<AtomicUsize>,
}

fn held_stage() -> (Stage, Barrier) {
    let barrier = Barrier {
        closed: Arc::default(),
        held: Arc::default(),
    };
    let (closed, held) = (Arc::clone(&barrier.closed), Arc::clone(&barrier.held));
    let gate = move |_: &_| {
        if closed.load(Ordering::Acquire) {
            held.fetch_add(1, Ordering::AcqRel);
            while closed.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        true
    };
    let config = PublicationConfig::default();
    let stage = Stage::with(engine(1, &[localhost()]), config, Arc::new(gate));
    (stage, barrier)
}

impl Barrier {
    /// Holds the shard at the next event, which a new viewer causes.
    fn close(&self, stage: &mut Stage, viewer: ViewerId) {
        self.closed.store(true, Ordering::Release);
        stage.add(viewer);
        let held = Arc::clone(&self.held);
        stage.wait("the shard is held", |_| held.load(Ordering::Acquire) > 0);
    }

    fn open(&self) {
        self.closed.store(false, Ordering::Release);
    }
}

#[test]
fn frames_for_a_shard_that_is_busy_are_dropped_up_to_the_next_key_frame() {
    let (mut stage, barrier) = held_stage();
    stage.join(1);
    stage.play(10);
    stage.wait_frames(&[0], 10);
    barrier.close(&mut stage, ViewerId(9));
    stage.reported.clear();
    let begun = Instant::now();
    for number in 0..MAX_WAITING_FRAMES as u32 + 50 {
        let frame = frame(rendition(0), 10 + number, false);
        stage.publication().send_frame(frame);
    }
    assert!(begun.elapsed() < PATIENCE / 2, "it never waits");
    assert_eq!(stage.engine.statistics().frames_missed, 50);
    barrier.open();
    stage.wait("a key frame is wanted", |stage| {
        stage.has_heard(ONE, &ViewerEvent::KeyFrameWanted(VIDEO))
    });
    let before = stage.video(ONE).expect("it was there").key_frames;
    stage.wait("the viewer goes on", |stage| {
        stage
            .publication()
            .send_frame(frame(rendition(0), 9_000, true));
        stage.video(ONE).expect("it was there").key_frames > before
    });
}

#[test]
fn a_viewer_whose_command_finds_no_room_ends_with_a_reason() {
    let (mut stage, barrier) = held_stage();
    stage.join(2);
    barrier.close(&mut stage, ViewerId(9));
    for _ in 0..=MAX_WAITING_COMMANDS {
        stage.publication().add_candidate(ONE, String::new());
    }
    stage.add(ViewerId(10));
    barrier.open();
    stage.wait("they end", |stage| {
        stage.end(ONE).is_some() && stage.end(ViewerId(10)).is_some()
    });
    assert_eq!(stage.end(ONE), Some(&LimitError::Overloaded.into()));
    assert_eq!(
        stage.end(ViewerId(10)),
        Some(&LimitError::Overloaded.into())
    );
    stage.wait("the viewer's session is closed", |stage| {
        stage.report(ONE).is_closed
    });
    // It joined while the shard was held, and counts among those that get frames from now on.
    stage.wait("the new viewer is connected", |stage| {
        stage.is_connected(ViewerId(9))
    });
    stage.play(10);
    stage.wait_frames(&[1], 10);
}

#[test]
fn events_that_find_no_room_come_later_in_order() {
    let calls = AtomicUsize::new(0);
    // Every event is refused twice.
    let gate = move |_: &_| calls.fetch_add(1, Ordering::Relaxed) % 3 == 2;
    let config = PublicationConfig::default();
    let mut stage = Stage::with(engine(1, &[localhost()]), config, Arc::new(gate));
    stage.join(3);
    stage.publication().remove_viewer(ONE);
    stage.wait("it ends", |stage| stage.end(ONE).is_some());
    let of = |event: &ViewerEvent| match event {
        ViewerEvent::LocalDescription { .. } => Some("description"),
        ViewerEvent::Negotiated(_) => Some("negotiated"),
        ViewerEvent::Connected => Some("connected"),
        ViewerEvent::Ended(_) => Some("ended"),
        _ => None,
    };
    let heard: Vec<_> = stage.reported[&ONE].iter().filter_map(of).collect();
    assert_eq!(heard, ["description", "negotiated", "connected", "ended"]);
}
