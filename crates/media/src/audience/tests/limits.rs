//! What viewers may cost each other.

use super::*;
use crate::vote;

/// Viewers of one picture, each a peer of its own.
fn crowd(viewers: u64, estimate: Bitrate, now: Instant) -> Audience {
    let mut audience = Audience::new(POLICY, Some(2_048_000));
    audience.set_stream(VIDEO, StreamRate::Adaptive);
    for viewer in 0..viewers {
        join(&mut audience, viewer, &[(VIDEO, VP8)], now);
        audience.handle_connected(ViewerId(viewer), now);
        audience.handle_estimate(ViewerId(viewer), estimate, now);
    }
    audience.handle_timeout(now + RATE_INTERVAL);
    actions(&mut audience);
    audience
}

/// Wakes it whenever it wants to, until a time.
fn run(audience: &mut Audience, from: Instant, until: Instant) {
    let mut now = from;
    while let Some(deadline) = audience
        .poll_timeout()
        .filter(|deadline| *deadline <= until)
    {
        now = now.max(deadline);
        audience.handle_timeout(now);
        assert!(
            audience.poll_timeout() > Some(now) || audience.poll_timeout().is_none(),
            "progress"
        );
    }
}

fn rate(audience: &Audience) -> Bitrate {
    audience.rate(rendition(VIDEO, VP8)).expect("it runs")
}

#[test]
fn hostile_report_among_twenty_costs_the_others_a_tenth_at_most() {
    let begin = Instant::now();
    let mut audience = crowd(20, 8_000_000, begin);
    let before = rate(&audience);
    // All day, in each way that there is: far below, just above half, in turns.
    let mut now = begin + RATE_INTERVAL;
    let reports = [334_000, 4_100_000, 0, u64::MAX, 1_000_000];
    for number in 0..3_000 {
        now += 100 * MS;
        let report = reports[number / 7 % reports.len()];
        audience.handle_estimate(ViewerId(3), report, now);
        run(&mut audience, now, now);
        assert!(rate(&audience) >= before * 90 / 100, "{}", rate(&audience));
    }
}

#[test]
fn viewers_that_answer_and_never_connect_have_no_say() {
    let begin = Instant::now();
    let mut audience = crowd(3, 8_000_000, begin);
    let before = rate(&audience);
    for viewer in 100..200 {
        join(&mut audience, viewer, &[(VIDEO, VP8)], begin);
    }
    run(&mut audience, begin, begin + 2 * RATE_INTERVAL);
    assert_eq!(rate(&audience), before);
    // One that connects has a say until it is known to be slow.
    audience.handle_connected(ViewerId(100), begin + 3 * RATE_INTERVAL);
    assert!(rate(&audience) < before);
}

#[test]
fn slow_viewer_among_few_costs_half_for_a_while_and_then_nothing() {
    let begin = Instant::now();
    let mut audience = crowd(5, 8_000_000, begin);
    let before = rate(&audience);
    let fell = begin + 2 * RATE_INTERVAL;
    audience.handle_estimate(ViewerId(3), 500_000, fell);
    assert!(rate(&audience).abs_diff(before / 2) < 1_000);
    run(&mut audience, fell, fell + vote::PATIENCE - MS);
    assert!(rate(&audience) < before);
    run(&mut audience, fell, fell + vote::PATIENCE);
    assert_eq!(rate(&audience), before);
    // It has a say again once it can take most of it.
    let rose = fell + 2 * vote::PATIENCE;
    audience.handle_estimate(ViewerId(3), 6_000_000, rose);
    assert_eq!(rate(&audience), before);
    run(&mut audience, rose, rose + vote::PATIENCE);
    assert_eq!(rate(&audience), demand::usable(6_000_000, 0, 0));
}

#[test]
fn of_two_viewers_the_slower_one_decides() {
    let begin = Instant::now();
    let mut audience = crowd(2, 8_000_000, begin);
    let now = begin + 2 * RATE_INTERVAL;
    audience.handle_estimate(ViewerId(1), 500_000, now);
    run(&mut audience, now, now + 10 * vote::PATIENCE);
    assert_eq!(rate(&audience), demand::usable(500_000, 0, 0));
}

#[test]
fn viewer_that_lost_its_vote_and_is_left_alone_is_followed() {
    let begin = Instant::now();
    let mut audience = crowd(3, 8_000_000, begin);
    let now = begin + 2 * RATE_INTERVAL;
    audience.handle_estimate(ViewerId(0), 1_000_000, now);
    let now = now + 2 * vote::PATIENCE;
    run(&mut audience, begin, now);
    audience.handle_left(ViewerId(1), now);
    audience.handle_left(ViewerId(2), now);
    run(&mut audience, now, now + RATE_INTERVAL);
    assert_eq!(rate(&audience), demand::usable(1_000_000, 0, 0));
}

#[test]
fn thousands_of_reports_are_ten_decisions_a_second() {
    let begin = Instant::now();
    let mut audience = crowd(400, 4_000_000, begin);
    let before = audience.decisions.count;
    let mut now = begin + RATE_INTERVAL;
    let mut set = 0;
    for number in 0..60_000u64 {
        now += Duration::from_micros(100);
        audience.handle_estimate(
            ViewerId(number % 400),
            3_000_000 + number * 7_919 % 1_000_000,
            now,
        );
        if audience
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now)
        {
            audience.handle_timeout(now);
        }
        let done = actions(&mut audience);
        set += done
            .iter()
            .filter(|action| matches!(action, Action::SetRate { .. }))
            .count();
    }
    let decisions = audience.decisions.count - before;
    assert!((59..=61).contains(&decisions), "{decisions} in six seconds");
    assert!(set <= 61, "{set}");
}

#[test]
fn fall_is_acted_upon_within_a_tenth_of_a_second_whatever_others_report() {
    let begin = Instant::now();
    let mut audience = crowd(2, 4_000_000, begin);
    let mut now = begin + RATE_INTERVAL;
    for number in 0..1_000 {
        now += MS;
        audience.handle_estimate(ViewerId(0), 3_900_000 + number, now);
    }
    let fell = now;
    audience.handle_estimate(ViewerId(1), 1_000_000, fell);
    let due = audience.poll_timeout().expect("something is to be decided");
    assert!(due <= fell + RATE_INTERVAL);
    run(&mut audience, fell, fell + RATE_INTERVAL);
    assert_eq!(rate(&audience), demand::usable(1_000_000, 0, 0));
}

#[test]
fn sessions_of_one_peer_cause_as_many_key_frames_as_one() {
    let made_by = |sessions: u64| {
        let (mut audience, begin) = (audience(), Instant::now());
        join(&mut audience, 1_000, &[(VIDEO, VP8)], begin);
        for session in 0..sessions {
            join_as(&mut audience, session, 7, &[(VIDEO, vec![VP8])], begin);
        }
        actions(&mut audience);
        let mut made = 0;
        for number in 0..6_000 {
            let now = begin + 50 * MS * number;
            audience.handle_key_frame_request(ViewerId(u64::from(number) % sessions), VIDEO, now);
            run(&mut audience, now, now);
            for action in actions(&mut audience) {
                if let Action::MakeKeyFrame(rendition) = action {
                    audience.handle_key_frame(rendition, now);
                    made += 1;
                }
            }
        }
        made
    };
    let one = made_by(1);
    assert!((36..=40).contains(&one), "{one} in five minutes");
    assert_eq!(made_by(25), one);
}

#[test]
fn peer_that_comes_again_and_again_causes_no_more_key_frames() {
    let (mut audience, begin) = (audience(), Instant::now());
    join(&mut audience, 1_000, &[(VIDEO, VP8)], begin);
    let mut made = 0;
    for number in 0..300u32 {
        let (now, viewer) = (begin + Duration::from_secs(1) * number, u64::from(number));
        join_as(&mut audience, viewer, 7, &[(VIDEO, vec![VP8])], now);
        audience.handle_key_frame_request(ViewerId(viewer), VIDEO, now);
        audience.handle_timeout(now);
        let done = actions(&mut audience);
        made += done
            .iter()
            .filter(|action| matches!(action, Action::MakeKeyFrame(_)))
            .count();
        audience.handle_left(ViewerId(viewer), now);
    }
    assert!((36..=40).contains(&made), "{made} in five minutes");
}

const VP9: u32 = 3;
const AV1: u32 = 4;
const H265: u32 = 5;

/// Joins; returns whose codec gave way, or the codecs that there are.
fn try_join(
    audience: &mut Audience,
    viewer: u64,
    takes: &[u32],
    now: Instant,
) -> Result<Vec<ViewerId>, Vec<u32>> {
    let taken = [(VIDEO, takes.to_vec())];
    let joined = audience.handle_joined(ViewerId(viewer), PeerKey(viewer), &taken, now);
    joined.map_err(|none| none.codecs)
}

/// An audience that knows which codecs every viewer has.
fn audience_with_common_codecs() -> Audience {
    let mut audience = audience();
    audience.set_common_codecs(VIDEO, [VP8, H264]);
    audience
}

#[test]
fn third_codec_is_not_begun_and_its_viewer_gets_one_that_runs() {
    let (mut audience, now) = (audience_with_common_codecs(), Instant::now());
    assert_eq!(try_join(&mut audience, 1, &[VP8], now), Ok(Vec::new()));
    assert_eq!(try_join(&mut audience, 2, &[AV1, VP8], now), Ok(Vec::new()));
    actions(&mut audience);
    assert_eq!(
        try_join(&mut audience, 3, &[VP9, H265, AV1, VP8], now),
        Ok(Vec::new())
    );
    let done = actions(&mut audience);
    assert_eq!(given(&done), [(3, AV1, AskForKeyFrame)]);
    assert_eq!(starts(&done), []);
    assert_eq!(
        try_join(&mut audience, 4, &[VP9, H265], now),
        Err(vec![VP8, AV1])
    );
    assert_eq!(actions(&mut audience), [], "it has not joined");
}

#[test]
fn rare_codec_gives_way_to_a_viewer_that_takes_only_a_common_one() {
    let (mut audience, now) = (audience_with_common_codecs(), Instant::now());
    try_join(&mut audience, 1, &[AV1], now).expect("a codec");
    try_join(&mut audience, 2, &[H265], now).expect("a codec");
    try_join(&mut audience, 3, &[AV1, VP8], now).expect("a codec");
    actions(&mut audience);
    let ended = try_join(&mut audience, 4, &[VP8], now);
    assert_eq!(ended, Ok(vec![ViewerId(1)]), "who has AV1 alone");
    let done = actions(&mut audience);
    let gets = [(3, VP8, AskForKeyFrame), (4, VP8, AskForKeyFrame)];
    assert_eq!(given(&done), gets);
    let stop = done
        .iter()
        .position(|action| *action == Action::Stop(rendition(VIDEO, AV1)));
    let start = done
        .iter()
        .position(|action| matches!(action, Action::Start { .. }));
    assert!(
        stop.expect("AV1 stops") < start.expect("VP8 starts"),
        "{done:?}"
    );
    assert_eq!(audience.running(), [(VIDEO, VP8), (VIDEO, H265)]);
}

#[test]
fn codec_that_nobody_watches_any_more_makes_room_at_once() {
    let (mut audience, now) = (audience_with_common_codecs(), Instant::now());
    for (viewer, codec) in [VP8, H264, VP9, AV1, H265].into_iter().enumerate() {
        let viewer = viewer as u64;
        try_join(&mut audience, viewer, &[codec], now).expect("a codec");
        audience.handle_left(ViewerId(viewer), now);
        assert!(audience.running().len() <= MAX_ENCODED_CODECS);
    }
}

#[test]
fn what_is_passed_through_is_no_encoding() {
    let (mut audience, now) = (audience_of_h264(), Instant::now());
    for (viewer, codec) in [H264, VP8, VP9].into_iter().enumerate() {
        try_join(&mut audience, viewer as u64, &[codec], now).expect("a codec");
    }
    assert_eq!(audience.running().len(), 3);
    try_join(&mut audience, 9, &[AV1, H264], now).expect("what is passed through");
    assert!(try_join(&mut audience, 10, &[AV1], now).is_err());
}

#[test]
fn viewers_of_a_rendition_that_failed_do_not_begin_a_third_codec() {
    let (mut audience, now) = (audience_with_common_codecs(), Instant::now());
    try_join(&mut audience, 1, &[VP8, H264], now).expect("a codec");
    try_join(&mut audience, 2, &[VP8, VP9], now).expect("a codec");
    try_join(&mut audience, 3, &[VP8, AV1, H264], now).expect("a codec");
    try_join(&mut audience, 4, &[VP8, AV1], now).expect("a codec");
    let left = audience.handle_rendition_failed(rendition(VIDEO, VP8), now);
    assert_eq!(left, [ViewerId(4)]);
    assert_eq!(audience.running().len(), MAX_ENCODED_CODECS);
}
