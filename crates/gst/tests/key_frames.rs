//! A viewer that asks for key frames all the time: where others watch, it is refused, and that is counted.

mod stage;

use gstreamer as gst;
use stage::{Sender, VIDEO, Viewer};
use wigwag_media::key_frames::MAX_REQUESTS;

fn refused(sender: &Sender, viewer: &Viewer) -> u64 {
    let session = sender.statistics(&viewer.session());
    let ours = session.and_then(|it| it.get::<gst::Structure>("wigwag-session-stats").ok());
    let refused = ours.and_then(|ours| ours.get::<u64>("key-frames-refused").ok());
    refused.unwrap_or_default()
}

#[test]
fn a_viewer_that_asks_for_key_frames_all_the_time_is_refused_where_others_watch() {
    let sender = Sender::playing_with("video-caps=video/x-vp8", VIDEO);
    let good = sender.viewer();
    let greedy = sender.viewer();
    good.wait_frames(10);
    greedy.wait_frames(10);
    let before = good.key_frames();
    stage::wait("it is refused", || {
        greedy.ask_for_key_frame();
        refused(&sender, &greedy) >= 5
    });
    let made = good.key_frames() - before;
    // And one that the encoder makes of its own accord.
    assert!(made <= u64::from(MAX_REQUESTS) + 2, "{made}");
    assert_eq!(refused(&sender, &good), 0);
    good.wait_frames(10);
    sender.assert_quiet();
}
