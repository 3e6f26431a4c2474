//! A shard that panics: its sessions end with a reason, and those who come next are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wigwag_media::engine::{PublicationConfig, ViewerEvent};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::InternalError;

use crate::engine_stage::{Stage, engine, frame, localhost, rendition};

/// A stage whose event handler panics once at an event of a viewer, on the thread of the shard.
fn stage_that_panics(at: impl Fn(&ViewerEvent) -> bool + Send + Sync + 'static) -> Stage {
    let armed = AtomicBool::new(true);
    let gate = move |event: &wigwag_media::engine::PublicationEvent| {
        let panics = event.viewer == ViewerId(2) && at(&event.kind);
        assert!(
            !(panics && armed.swap(false, Ordering::SeqCst)),
            "a fault of the event handler, as the test wants it"
        );
        true
    };
    Stage::with(
        engine(1, &[localhost()]),
        PublicationConfig::default(),
        Arc::new(gate),
    )
}

fn assert_recovers(stage: &mut Stage, ended: &[u64]) {
    stage.wait("all of the shard's sessions end", |stage| {
        let end = |viewer: &u64| stage.end(ViewerId(*viewer)).is_some();
        ended.iter().all(end)
    });
    for viewer in ended {
        let end = stage.end(ViewerId(*viewer));
        assert_eq!(end, Some(&InternalError::ShardFailed.into()), "{viewer}");
    }
    assert_eq!(stage.engine.statistics().shards_failed, 1);
    // Who comes next is served, on the same port.
    stage.add(ViewerId(10));
    stage.wait("the next is connected", |stage| {
        stage.is_connected(ViewerId(10))
    });
    let number = stage.next_number();
    stage
        .publication()
        .send_frame(frame(rendition(0), number, true));
    stage.wait("a frame arrives", |stage| {
        stage
            .video(ViewerId(10))
            .is_some_and(|video| video.frames > 0)
    });
    assert_eq!(stage.engine.statistics().viewers, 1);
}

#[test]
fn shard_that_panics_while_it_serves_ends_its_sessions_and_is_replaced() {
    let mut stage = stage_that_panics(|event| matches!(event, ViewerEvent::KeyFrameWanted(_)));
    stage.add(ViewerId(0));
    stage.add(ViewerId(1));
    stage.wait_connected(2);
    stage.add(ViewerId(2));
    assert_recovers(&mut stage, &[0, 1, 2]);
}

#[test]
fn viewer_whose_command_makes_a_shard_panic_ends_too() {
    let is_offer = |event: &ViewerEvent| matches!(event, ViewerEvent::LocalDescription { .. });
    let mut stage = stage_that_panics(is_offer);
    stage.add(ViewerId(0));
    stage.wait("it is connected", |stage| stage.is_connected(ViewerId(0)));
    stage.add(ViewerId(2));
    assert_recovers(&mut stage, &[0, 2]);
}
