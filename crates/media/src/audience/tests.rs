//! What an audience has encoders and sessions do.

mod index;
mod limits;
mod renegotiation;

use super::*;
use crate::demand;
use crate::key_frames::MIN_INTERVAL;
use Handover::{AskForKeyFrame, AwaitKeyFrame};

const VIDEO: StreamId = StreamId(0);
const AUDIO: StreamId = StreamId(1);
const VP8: u32 = 0;
const H264: u32 = 1;
const OPUS: u32 = 9;
const MS: Duration = Duration::from_millis(1);
const POLICY: Policy = Policy {
    min_bitrate: 1_000,
    max_bitrate: 8_192_000,
    floor: demand::DEFAULT_FLOOR,
};

/// Joins with one codec for each stream.
fn join(audience: &mut Audience, viewer: u64, agreed: &[(StreamId, u32)], now: Instant) {
    let taken = agreed.iter().map(|(stream, codec)| (*stream, vec![*codec]));
    let taken: Vec<_> = taken.collect();
    join_as(audience, viewer, viewer, &taken, now);
}

/// Joins as a viewer of a peer.
fn join_as(
    audience: &mut Audience,
    viewer: u64,
    peer: u64,
    taken: &[(StreamId, Vec<u32>)],
    now: Instant,
) {
    let joined = audience.handle_joined(ViewerId(viewer), PeerKey(peer), taken, now);
    assert_eq!(joined, Ok(Vec::new()));
}

fn audience() -> Audience {
    let mut audience = Audience::new(POLICY, Some(2_048_000));
    audience.set_stream(VIDEO, StreamRate::Adaptive);
    audience.set_stream(AUDIO, StreamRate::Fixed(64_000));
    audience
}

fn actions(audience: &mut Audience) -> Vec<Action> {
    std::iter::from_fn(|| audience.poll_action()).collect()
}

fn starts(actions: &[Action]) -> Vec<(RenditionId, Bitrate)> {
    let start = |action: &Action| match action {
        Action::Start {
            rendition, rate, ..
        } => Some((*rendition, *rate)),
        _ => None,
    };
    actions.iter().filter_map(start).collect()
}

#[test]
fn one_encoder_serves_all_viewers_of_a_codec() {
    let (mut audience, now) = (audience(), Instant::now());
    let mut all = Vec::new();
    for viewer in 0..100 {
        let codec = if viewer % 2 == 0 { VP8 } else { H264 };
        let agreed = [(VIDEO, codec), (AUDIO, OPUS)];
        join(&mut audience, viewer, &agreed, now);
        all.extend(actions(&mut audience));
    }
    let started: Vec<_> = starts(&all).into_iter().map(|(id, _)| id).collect();
    let expected = [(VIDEO, VP8), (AUDIO, OPUS), (VIDEO, H264)];
    assert_eq!(
        started,
        expected.map(|(stream, codec)| rendition(stream, codec))
    );
    let given = all
        .iter()
        .filter(|action| matches!(action, Action::Assign { .. }));
    assert_eq!(given.count(), 200);
}

#[test]
fn video_gets_what_audio_leaves_of_the_start_rate_and_then_of_the_estimate() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8), (AUDIO, OPUS)], now);
    let first = actions(&mut audience);
    let expected = demand::usable(2_048_000, 64_000, 0);
    assert!(starts(&first).contains(&(rendition(VIDEO, VP8), expected)));
    assert!(starts(&first).contains(&(rendition(AUDIO, OPUS), 64_000)));
    let now = now + RATE_INTERVAL;
    audience.handle_estimate(ViewerId(1), 1_000_000, now);
    let rate = demand::usable(1_000_000, 64_000, 0);
    let changed = Action::SetRate {
        rendition: rendition(VIDEO, VP8),
        rate,
    };
    assert!(actions(&mut audience).contains(&changed));
    assert_eq!(audience.rate(rendition(AUDIO, OPUS)), Some(64_000));
    audience.handle_estimate(ViewerId(1), 1_010_000, now + RATE_INTERVAL);
    let small = actions(&mut audience);
    assert!(
        !small
            .iter()
            .any(|action| matches!(action, Action::SetRate { .. }))
    );
}

#[test]
fn the_path_is_tried_for_more_than_is_sent_so_that_the_rate_can_rise() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    let reported = actions(&mut audience)
        .into_iter()
        .find_map(|action| match action {
            Action::SetRates {
                current, desired, ..
            } => Some((current, desired)),
            _ => None,
        });
    let (current, desired) = reported.expect("a report");
    assert!(desired * 100 >= current * 140, "{current} {desired}");
}

#[test]
fn nobody_watches_and_after_a_while_nothing_runs() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    audience.handle_left(ViewerId(1), now);
    actions(&mut audience);
    assert_eq!(audience.poll_timeout(), Some(now + LINGER));
    audience.handle_timeout(now + LINGER - MS);
    assert_eq!(actions(&mut audience), []);
    audience.handle_timeout(now + LINGER);
    assert_eq!(
        actions(&mut audience),
        [Action::Stop(rendition(VIDEO, VP8))]
    );
    assert_eq!(audience.poll_timeout(), None);
    assert_eq!(audience.running(), []);
}

#[test]
fn who_comes_back_finds_the_encoder_running() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    audience.handle_left(ViewerId(1), now);
    join(&mut audience, 2, &[(VIDEO, VP8)], now + LINGER / 2);
    assert_eq!(starts(&actions(&mut audience)).len(), 1, "the first one's");
    audience.handle_timeout(now + LINGER * 2);
    assert_eq!(actions(&mut audience), []);
    assert_eq!(audience.running(), [(VIDEO, VP8)]);
}

#[test]
fn the_first_key_frame_of_an_encoder_does_not_delay_that_of_the_first_viewer() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    audience.handle_key_frame(rendition(VIDEO, VP8), now + 30 * MS);
    actions(&mut audience);
    audience.handle_connected(ViewerId(1), now);
    audience.handle_key_frame_request(ViewerId(1), VIDEO, now + 100 * MS);
    let made = Action::MakeKeyFrame(rendition(VIDEO, VP8));
    assert_eq!(actions(&mut audience), std::slice::from_ref(&made));
    audience.handle_key_frame(rendition(VIDEO, VP8), now + 110 * MS);
    audience.handle_key_frame_request(ViewerId(1), VIDEO, now + 200 * MS);
    assert_eq!(actions(&mut audience), [], "too soon");
    audience.handle_timeout(now + 200 * MS);
    assert_eq!(audience.poll_timeout(), Some(now + 110 * MS + MIN_INTERVAL));
    audience.handle_timeout(now + 110 * MS + MIN_INTERVAL);
    assert_eq!(actions(&mut audience), [made]);
}

#[test]
fn a_rendition_that_failed_takes_its_viewers_along_and_starts_for_the_next() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    join(&mut audience, 2, &[(VIDEO, VP8)], now);
    join(&mut audience, 3, &[(VIDEO, H264)], now);
    actions(&mut audience);
    let gone = audience.handle_rendition_failed(rendition(VIDEO, VP8), now);
    assert_eq!(gone, [ViewerId(1), ViewerId(2)]);
    assert_eq!(
        actions(&mut audience),
        [],
        "it is not tried again for nobody"
    );
    join(&mut audience, 4, &[(VIDEO, VP8)], now);
    assert_eq!(starts(&actions(&mut audience)).len(), 1);
}

#[test]
fn a_stream_that_is_removed_stops_at_once() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8), (AUDIO, OPUS)], now);
    actions(&mut audience);
    audience.remove_stream(VIDEO, now);
    let stopped = Action::Stop(rendition(VIDEO, VP8));
    assert!(actions(&mut audience).contains(&stopped));
    assert_eq!(audience.running(), [(AUDIO, OPUS)]);
}

#[test]
fn a_viewer_that_asks_all_day_costs_the_others_six_key_frames_a_minute() {
    let (mut audience, now) = (audience(), Instant::now());
    for viewer in 1..=3 {
        join(&mut audience, viewer, &[(VIDEO, VP8)], now);
        audience.handle_connected(ViewerId(viewer), now);
    }
    actions(&mut audience);
    let minute = |audience: &mut Audience, from: u32| {
        let (mut made, mut refused) = (0, 0);
        for number in from * 300..(from + 1) * 300 {
            let now = now + 200 * MS * number;
            let requested = audience.handle_key_frame_request(ViewerId(1), VIDEO, now);
            refused += u32::from(requested == Requested::TooOften);
            audience.handle_timeout(now);
            for action in actions(audience) {
                assert_eq!(action, Action::MakeKeyFrame(rendition(VIDEO, VP8)));
                audience.handle_key_frame(rendition(VIDEO, VP8), now);
                made += 1;
            }
        }
        assert!(refused > 250, "{refused}");
        made
    };
    minute(&mut audience, 0);
    assert_eq!(minute(&mut audience, 1), 6);
    // Who asks once is served meanwhile.
    let now = now + 600 * 200 * MS;
    let requested = audience.handle_key_frame_request(ViewerId(2), VIDEO, now);
    assert_eq!(requested, Requested::Accepted);
    audience.handle_timeout(now + MIN_INTERVAL);
    assert_eq!(actions(&mut audience).len(), 1);
}

#[test]
fn a_viewer_that_is_alone_may_ask_all_day() {
    let (mut audience, now) = (audience(), Instant::now());
    join(&mut audience, 1, &[(VIDEO, VP8)], now);
    for number in 0..100 {
        let now = now + MIN_INTERVAL * number;
        let requested = audience.handle_key_frame_request(ViewerId(1), VIDEO, now);
        assert_eq!(requested, Requested::Accepted);
    }
}

/// An audience of a stream that comes encoded as H.264, whose viewers come at a time and take VP8 too.
fn audience_of_h264() -> Audience {
    let mut audience = Audience::new(POLICY, Some(2_048_000));
    let rate = POLICY.max_bitrate;
    audience.set_stream(VIDEO, StreamRate::Passed { codec: H264, rate });
    audience
}

/// Joins, connects and asks for the first key frame.
fn join_h264(audience: &mut Audience, viewer: u64, takes: &[u32], now: Instant) -> Vec<Action> {
    join_as(audience, viewer, viewer, &[(VIDEO, takes.to_vec())], now);
    audience.handle_connected(ViewerId(viewer), now);
    audience.handle_key_frame_request(ViewerId(viewer), VIDEO, now);
    actions(audience)
}

fn given(actions: &[Action]) -> Vec<(u64, u32, Handover)> {
    let given = |action: &Action| match action {
        Action::Assign {
            viewer,
            rendition,
            handover,
        } => Some((viewer.0, rendition.codec, *handover)),
        _ => None,
    };
    actions.iter().filter_map(given).collect()
}

#[test]
fn viewer_of_a_source_with_frequent_key_frames_waits_for_the_next() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    audience.handle_source_key_frame(VIDEO, now);
    audience.handle_source_key_frame(VIDEO, now + PATIENCE);
    let now = now + PATIENCE + 500 * MS;
    let done = join_h264(&mut audience, 1, &[H264, VP8], now);
    assert_eq!(given(&done), [(1, H264, AskForKeyFrame)]);
    audience.handle_timeout(now + PATIENCE - MS);
    audience.handle_source_key_frame(VIDEO, now + PATIENCE - MS);
    audience.handle_timeout(now + PATIENCE);
    assert_eq!(given(&actions(&mut audience)), []);
}

#[test]
fn viewer_that_waits_in_vain_gets_another_codec_until_the_next_key_frame() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    audience.handle_source_key_frame(VIDEO, now);
    let mut now = now + 10 * PATIENCE;
    let done = join_h264(&mut audience, 1, &[H264, VP8], now);
    assert!(done.contains(&Action::MakeKeyFrame(rendition(VIDEO, H264))));
    now += ANSWER_TIME;
    audience.handle_timeout(now - MS);
    assert_eq!(audience.poll_timeout(), Some(now));
    audience.handle_timeout(now);
    let done = actions(&mut audience);
    assert_eq!(given(&done), [(1, VP8, AskForKeyFrame)]);
    assert!(
        starts(&done)[0].1 < POLICY.max_bitrate,
        "it follows the viewer's path"
    );
    audience.handle_switched(ViewerId(1), rendition(VIDEO, VP8), now);
    assert_eq!(given(&actions(&mut audience)), [(1, H264, AwaitKeyFrame)]);
    // As long as that takes, both run.
    now += 10 * LINGER;
    audience.handle_timeout(now);
    assert_eq!(actions(&mut audience), []);
    audience.handle_source_key_frame(VIDEO, now);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, H264), now);
    audience.handle_timeout(now + LINGER);
    assert!(actions(&mut audience).contains(&Action::Stop(rendition(VIDEO, VP8))));
    assert_eq!(audience.running(), [(VIDEO, H264)]);
}

#[test]
fn viewers_of_a_source_that_does_not_answer_are_helped_at_once() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    audience.handle_source_key_frame(VIDEO, now);
    let now = now + 10 * PATIENCE;
    join_h264(&mut audience, 1, &[H264, VP8], now);
    audience.handle_timeout(now + ANSWER_TIME);
    actions(&mut audience);
    let done = join_h264(&mut audience, 2, &[H264, VP8], now + PATIENCE);
    assert!(given(&done).contains(&(2, VP8, AskForKeyFrame)), "{done:?}");
}

#[test]
fn key_frame_that_comes_before_the_other_codec_makes_that_unneeded() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264, VP8], now);
    audience.handle_timeout(now + ANSWER_TIME);
    assert_eq!(given(&actions(&mut audience)), [(1, VP8, AskForKeyFrame)]);
    audience.handle_source_key_frame(VIDEO, now + ANSWER_TIME + MS);
    assert_eq!(given(&actions(&mut audience)), [(1, H264, AskForKeyFrame)]);
}

#[test]
fn viewer_without_another_codec_waits_for_the_source() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264], now);
    audience.handle_timeout(now + 100 * PATIENCE);
    assert_eq!(given(&actions(&mut audience)), []);
}

#[test]
fn codec_that_is_withdrawn_is_replaced_for_those_who_take_another() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264, VP8], now);
    join_h264(&mut audience, 2, &[H264], now);
    assert_eq!(audience.withdraw(VIDEO, &[H264], now), [ViewerId(2)]);
    assert_eq!(given(&actions(&mut audience)), [(1, VP8, AskForKeyFrame)]);
    // Nothing brings it back.
    audience.handle_source_key_frame(VIDEO, now + MS);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, VP8), now + MS);
    assert_eq!(given(&actions(&mut audience)), []);
}

#[test]
fn viewer_whose_codec_is_withdrawn_gets_it_by_another_number_and_goes_back() {
    const TRANSCODED_H264: u32 = 65;
    let passed = |codec| StreamRate::Passed {
        codec,
        rate: 8_192_000,
    };
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264], now);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, H264), now);
    actions(&mut audience);
    // The camera comes back with another codec.
    audience.set_stream(VIDEO, passed(3));
    audience.restore(ViewerId(1), VIDEO, &[TRANSCODED_H264], now);
    assert_eq!(audience.withdraw(VIDEO, &[H264], now), []);
    let done = actions(&mut audience);
    assert_eq!(given(&done), [(1, TRANSCODED_H264, AskForKeyFrame)]);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, TRANSCODED_H264), now);
    assert_eq!(given(&actions(&mut audience)), []);
    // And again with the first, while what is transcoded can still be had: it is seen until the next key frame.
    audience.set_stream(VIDEO, passed(H264));
    audience.restore(ViewerId(1), VIDEO, &[H264, TRANSCODED_H264], now);
    audience.withdraw(VIDEO, &[3], now);
    assert_eq!(given(&actions(&mut audience)), [(1, H264, AwaitKeyFrame)]);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, H264), now);
    assert_eq!(audience.assigned(ViewerId(1)), [rendition(VIDEO, H264)]);
}

#[test]
fn viewers_of_a_rendition_that_failed_get_another_codec_if_they_take_one() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[VP8, H264], now);
    join_h264(&mut audience, 2, &[VP8], now);
    let left = audience.handle_rendition_failed(rendition(VIDEO, VP8), now);
    assert_eq!(left, [ViewerId(2)]);
    assert_eq!(given(&actions(&mut audience)), [(1, H264, AskForKeyFrame)]);
}

#[test]
fn viewer_that_went_on_to_what_was_withdrawn_is_brought_back() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264, VP8], now);
    audience.handle_timeout(now + ANSWER_TIME);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, VP8), now);
    assert_eq!(
        given(&actions(&mut audience)).last(),
        Some(&(1, H264, AwaitKeyFrame))
    );
    audience.withdraw(VIDEO, &[H264], now);
    // Its session forgets what it awaits; if that was too late, it is assigned again.
    assert_eq!(given(&actions(&mut audience)), [(1, VP8, AskForKeyFrame)]);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, H264), now);
    assert_eq!(given(&actions(&mut audience)), [(1, VP8, AskForKeyFrame)]);
}

#[test]
fn viewer_that_changed_before_it_was_called_back_is_known_to_have() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264, VP8], now);
    audience.handle_timeout(now + ANSWER_TIME);
    actions(&mut audience);
    // The session has switched already when the source's key frame is noticed here.
    audience.handle_source_key_frame(VIDEO, now + ANSWER_TIME);
    audience.handle_switched(ViewerId(1), rendition(VIDEO, VP8), now + ANSWER_TIME);
    let done = given(&actions(&mut audience));
    assert!(
        !done.is_empty() && done.iter().all(|(_, codec, _)| *codec == H264),
        "{done:?}"
    );
}

#[test]
fn codecs_that_are_withdrawn_together_start_none_of_each_other() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    join_h264(&mut audience, 1, &[H264, VP8, OPUS], now);
    audience.withdraw(VIDEO, &[H264, VP8], now);
    let done = actions(&mut audience);
    assert_eq!(given(&done), [(1, OPUS, AskForKeyFrame)]);
    assert_eq!(starts(&done).len(), 1);
}
