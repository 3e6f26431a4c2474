//! `max-consumers`: viewers beyond it are refused with a reason, and the others notice nothing.

mod stage;

use std::time::Duration;

use stage::{Call, Calling, Sender, VIDEO, Viewer};
use wigwag_media::viewer::StreamKind;

#[test]
fn viewers_beyond_the_limit_are_refused_with_a_reason() {
    let sender = Sender::playing_with("max-consumers=2", VIDEO);
    let first = sender.viewer();
    let second = sender.viewer();
    first.wait_frames(5);
    second.wait_frames(5);
    let offering = Call {
        calling: Calling::Offers(vec![StreamKind::Video]),
        ..Call::default()
    };
    for call in [Call::default(), offering] {
        let third = Viewer::call(&sender.url, call);
        let reason = third.wait_end();
        assert!(reason.contains("as many viewers as may be"), "{reason}");
    }
    // Who was refused was never a consumer.
    assert_eq!(sender.consumers().len(), 2);
    assert_eq!(sender.sessions().len(), 2);
    // One goes, another comes.
    second.leave();
    stage::wait("its place is free", || sender.sessions().len() == 1);
    let fourth = sender.viewer();
    fourth.wait_frames(5);
    first.wait_frames(30);
    let video = &first.streams(StreamKind::Video)[0];
    assert_eq!(video.missing, 0, "{video:?}");
    assert!(video.longest_gap < Duration::from_secs(2), "{video:?}");
    sender.assert_quiet();
}

#[test]
fn a_sink_that_starts_again_has_all_its_room() {
    let sender = Sender::playing_with("max-consumers=1", VIDEO);
    for _ in 0..2 {
        let viewer = sender.persistent_viewer();
        viewer.wait_frames(5);
        sender.stop();
        sender.play();
    }
}
