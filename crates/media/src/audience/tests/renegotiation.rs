//! What becomes of a viewer whose descriptions change while it watches.

use super::*;

const OTHER: StreamId = StreamId(5);
const VP9: u32 = 2;

fn assigned(actions: &[Action]) -> Vec<RenditionId> {
    let assign = |action: &Action| match action {
        Action::Assign { rendition, .. } => Some(*rendition),
        _ => None,
    };
    actions.iter().filter_map(assign).collect()
}

#[test]
fn stream_that_is_added_starts_and_those_before_go_on_as_they_are() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    audience.handle_connected(ViewerId(1), now);
    actions(&mut audience);
    audience.set_stream(OTHER, StreamRate::Adaptive);
    let taken = [(VIDEO, vec![H264, VP8]), (OTHER, vec![VP8])];
    let left = audience.handle_renegotiated(ViewerId(1), &taken, now);
    assert_eq!(left, Ok(Vec::new()));
    let done = actions(&mut audience);
    assert_eq!(assigned(&done), [rendition(OTHER, VP8)]);
    assert_eq!(starts(&done).len(), 1);
    let all = [VIDEO, OTHER].map(|stream| rendition(stream, VP8));
    assert_eq!(audience.assigned(ViewerId(1)), all);
}

#[test]
fn stream_that_is_taken_no_more_stops_when_nobody_else_watches() {
    let (mut audience, now) = (audience(), Instant::now());
    for viewer in [1, 2] {
        join(&mut audience, viewer, &[(VIDEO, VP8), (AUDIO, OPUS)], now);
    }
    actions(&mut audience);
    for viewer in [1, 2] {
        let taken = [(AUDIO, vec![OPUS])];
        let left = audience.handle_renegotiated(ViewerId(viewer), &taken, now);
        assert_eq!(left, Ok(Vec::new()));
        audience.handle_timeout(now);
        let stopped = Action::Stop(rendition(VIDEO, VP8));
        assert!(!actions(&mut audience).contains(&stopped));
        audience.handle_timeout(now + LINGER);
        let is_stopped = actions(&mut audience).contains(&stopped);
        assert_eq!(is_stopped, viewer == 2);
    }
}

#[test]
fn viewer_whose_codec_is_taken_no_more_gets_another_unless_as_many_are_encoded_as_may_be() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    join(&mut audience, 2, &[(VIDEO, VP8)], now);
    let taken = [(VIDEO, vec![H264])];
    let left = audience.handle_renegotiated(ViewerId(1), &taken, now);
    assert_eq!(left, Ok(Vec::new()));
    assert_eq!(audience.assigned(ViewerId(1)), [rendition(VIDEO, H264)]);
    join(&mut audience, 3, &[(VIDEO, H264)], now);
    let taken = [(VIDEO, vec![VP9])];
    let left = audience.handle_renegotiated(ViewerId(1), &taken, now);
    assert_eq!(left, Ok(Vec::new()));
    assert_eq!(audience.assigned(ViewerId(1)), [], "a third encoder");
}

#[test]
fn viewer_that_is_not_there_changes_nothing() {
    let (mut audience, now) = (audience(), Instant::now());
    let left = audience.handle_renegotiated(ViewerId(1), &[(VIDEO, vec![VP8])], now);
    assert_eq!(left, Ok(Vec::new()));
    assert!(!audience.has_viewer(ViewerId(1)));
    assert_eq!(actions(&mut audience), []);
}
