//! What an encoder is applied, so that what comes out of it is what is wanted of it. No clock; time comes in.
//!
//! # Contract
//!
//! * The owner says what is wanted ([`handle_rate`](EncoderControl::handle_rate)), when it asks for a key frame
//!   ([`handle_key_frame_asked`](EncoderControl::handle_key_frame_asked)), and what has come out until now
//!   ([`handle_output`](EncoderControl::handle_output)), the latter at least at
//!   [`poll_timeout`](EncoderControl::poll_timeout), followed by [`handle_timeout`](EncoderControl::handle_timeout).
//! * After any call it takes all that [`poll_event`](EncoderControl::poll_event) has.
//! * Time never goes backwards.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// What comes out is looked at for this long at a time.
pub const WINDOW: Duration = Duration::from_secs(2);

/// After a change nothing is judged for so long: encoders need up to a hundred frames.
pub const SETTLES: Duration = Duration::from_secs(3);

/// What may come out, in percent of what is wanted.
pub const TOLERANCE_PERCENT: u64 = 135;

/// The least rate that is set, in percent of the target: an encoder at its coarsest makes no less.
pub const LEAST_CORRECTION_PERCENT: u64 = 45;

/// Windows in a row after which too much or too little output is acted on.
const WINDOWS: u32 = 2;

/// A change by less than this, in percent, is no reason to wait until an encoder has settled.
const SMALL_PERCENT: u64 = 15;

/// Below this, in percent of what is wanted, a correction is taken back.
const RELIEF_PERCENT: u64 = 75;

/// A correction beyond this, in percent, is none.
const NEARLY_ALL_PERCENT: u64 = 95;

/// A key frame that was asked for comes within this time and this many frames, or not at all.
pub const ANSWER_TIME: Duration = Duration::from_secs(3);
const ANSWER_FRAMES: u64 = 30;

/// So many wishes in a row without an answer are unresponsiveness.
const MAX_UNANSWERED: u32 = 2;

/// What an encoder bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// Its rate is raised no sooner than this after a change: each costs it a key frame.
    pub raise_interval: Duration,
    /// Its rate is lowered no sooner than this after a change.
    pub lower_interval: Duration,
    /// And only by so much, in percent.
    pub worthwhile_percent: u64,
}

/// What came out of an encoder since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Of payload.
    pub bytes: u64,
    /// All of them.
    pub frames: u64,
    /// Of these.
    pub key_frames: u64,
}

/// What the owner shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderEvent {
    /// Set this rate.
    SetRate(Bitrate),
    /// It makes no key frames when it is asked to: take another, if there is one.
    NoKeyFrames,
}

/// One encoder.
#[derive(Debug)]
pub struct EncoderControl {
    manners: Manners,
    wanted: Bitrate,
    applied: Bitrate,
    /// The set rate in percent of the target.
    correction: u64,
    changed: Option<Instant>,
    output: Output,
    window: (Instant, Output),
    /// The rate that was set when the window began, and the target since then, in bits.
    window_applied: Bitrate,
    window_wanted: u64,
    /// Until when that was added up.
    added_up: Instant,
    too_much: u32,
    little: u32,
    /// The wish that was not fulfilled yet: when, and what had come out.
    asked: Option<(Instant, Output)>,
    unanswered: u32,
    events: VecDeque<EncoderEvent>,
}

impl EncoderControl {
    /// For an encoder that begins with this rate.
    pub fn new(manners: Manners, rate: Bitrate, now: Instant) -> Self {
        Self {
            manners,
            wanted: rate,
            applied: rate,
            correction: 100,
            changed: None,
            output: Output::default(),
            window: (now + SETTLES, Output::default()),
            window_applied: rate,
            window_wanted: 0,
            added_up: now,
            too_much: 0,
            little: 0,
            asked: None,
            unanswered: 0,
            events: VecDeque::new(),
        }
    }

    /// What is wanted from now on.
    pub fn handle_rate(&mut self, rate: Bitrate, now: Instant) {
        self.add_up(now);
        self.wanted = rate;
        self.apply(now);
    }

    /// A key frame is asked for.
    pub fn handle_key_frame_asked(&mut self, now: Instant) {
        self.asked.get_or_insert((now, self.output));
    }

    /// What came out until now, all together.
    pub fn handle_output(&mut self, output: Output) {
        self.output = output;
        if let Some((_, then)) = self.asked
            && output.key_frames > then.key_frames
        {
            self.asked = None;
            self.unanswered = 0;
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.judge_key_frames(now);
        self.judge_rate(now);
        self.apply(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Instant {
        let window = self.window.0 + WINDOW;
        let answer = self.asked.map(|(since, then)| {
            let frames = self.output.frames.saturating_sub(then.frames);
            // As long as it has made few frames, the next window is soon enough to look again.
            let late = frames < ANSWER_FRAMES && since + ANSWER_TIME < window;
            if late { window } else { since + ANSWER_TIME }
        });
        let others = [self.change_due(), answer];
        others.into_iter().flatten().fold(window, Instant::min)
    }

    /// What is to be done next.
    pub fn poll_event(&mut self) -> Option<EncoderEvent> {
        self.events.pop_front()
    }

    fn target(&self) -> Bitrate {
        self.wanted / 100 * self.correction + self.wanted % 100 * self.correction / 100
    }

    /// When the next rate may be set; none if it is set, or the change is too small.
    fn change_due(&self) -> Option<Instant> {
        let target = self.target();
        if target == self.applied {
            return None;
        }
        let lower = target < self.applied;
        let by = self.applied.abs_diff(target);
        if lower && by * 100 < self.applied * self.manners.worthwhile_percent {
            return None;
        }
        let interval = if lower {
            self.manners.lower_interval
        } else {
            self.manners.raise_interval
        };
        Some(
            self.changed
                .map_or(self.window.0 - SETTLES, |changed| changed + interval),
        )
    }

    fn apply(&mut self, now: Instant) {
        if self.change_due().is_none_or(|due| due > now) {
            return;
        }
        self.applied = self.target();
        self.changed = Some(now);
        // After a small change it can be judged as before; rates that move slowly move all the time.
        if self.applied.abs_diff(self.window_applied) * 100 > self.window_applied * SMALL_PERCENT {
            self.begin_window(now + SETTLES, now);
            (self.too_much, self.little) = (0, 0);
        }
        self.events.push_back(EncoderEvent::SetRate(self.applied));
    }

    fn begin_window(&mut self, begin: Instant, now: Instant) {
        self.window = (begin, self.output);
        self.window_applied = self.applied;
        self.window_wanted = 0;
        self.added_up = now;
    }

    fn add_up(&mut self, now: Instant) {
        let time = now.saturating_duration_since(self.added_up.max(self.window.0));
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.window_wanted += (self.wanted / 1_000).saturating_mul(milliseconds);
        self.added_up = now;
    }

    fn judge_rate(&mut self, now: Instant) {
        let (begin, before) = self.window;
        if now < begin {
            // What comes while it settles does not count.
            self.window.1 = self.output;
            return;
        }
        self.add_up(now);
        let time = now.saturating_duration_since(begin);
        if time < WINDOW {
            return;
        }
        let wanted = self.window_wanted;
        self.begin_window(now, now);
        let bytes = self.output.bytes.saturating_sub(before.bytes);
        if self.output.frames == before.frames || wanted == 0 {
            return;
        }
        let percent = bytes.saturating_mul(800) / wanted;
        self.too_much = if percent > TOLERANCE_PERCENT {
            self.too_much + 1
        } else {
            0
        };
        self.little = if percent < RELIEF_PERCENT {
            self.little + 1
        } else {
            0
        };
        if self.too_much >= WINDOWS {
            self.correction = (self.correction * 100 / percent).max(LEAST_CORRECTION_PERCENT);
            self.too_much = 0;
        } else if self.little >= WINDOWS {
            let relief = (10_000 / percent.max(1)).min(200);
            self.correction = self.correction * relief / 100;
            if self.correction > NEARLY_ALL_PERCENT {
                self.correction = 100;
            }
            self.little = 0;
        }
    }

    fn judge_key_frames(&mut self, now: Instant) {
        let Some((since, then)) = self.asked else {
            return;
        };
        let frames = self.output.frames.saturating_sub(then.frames);
        if now.saturating_duration_since(since) < ANSWER_TIME || frames < ANSWER_FRAMES {
            return;
        }
        self.asked = None;
        self.unanswered += 1;
        if self.unanswered == MAX_UNANSWERED {
            self.events.push_back(EncoderEvent::NoKeyFrames);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const MEGABIT: Bitrate = 1_000_000;

    /// An encoder whose output is so many percent of the set rate, at 25 frames a second.
    struct Encoder {
        control: EncoderControl,
        applied: Bitrate,
        output: Output,
        percent: u64,
        changes: Vec<(Duration, Bitrate)>,
        others: Vec<EncoderEvent>,
        begin: Instant,
        now: Instant,
    }

    impl Encoder {
        fn new(manners: Manners, percent: u64) -> Self {
            let now = Instant::now();
            Self {
                control: EncoderControl::new(manners, MEGABIT, now),
                applied: MEGABIT,
                output: Output::default(),
                percent,
                changes: Vec::new(),
                others: Vec::new(),
                begin: now,
                now,
            }
        }

        fn run(&mut self, seconds: u64) {
            for _ in 0..seconds * 25 {
                self.now += 40 * MS;
                self.output.bytes += self.applied * self.percent / 100 / 8 / 25;
                self.output.frames += 1;
                self.control.handle_output(self.output);
                if self.control.poll_timeout() <= self.now {
                    self.control.handle_timeout(self.now);
                }
                self.take_events();
            }
        }

        fn want(&mut self, rate: Bitrate) {
            self.control.handle_rate(rate, self.now);
            self.take_events();
        }

        fn take_events(&mut self) {
            while let Some(event) = self.control.poll_event() {
                match event {
                    EncoderEvent::SetRate(rate) => {
                        self.applied = rate;
                        self.changes.push((self.now - self.begin, rate));
                    }
                    other => self.others.push(other),
                }
            }
        }
    }

    #[test]
    fn responsive_encoder_gets_each_change_at_once_and_nothing_else() {
        let mut encoder = Encoder::new(Manners::default(), 105);
        encoder.run(20);
        assert_eq!(encoder.changes, []);
        encoder.want(700_000);
        encoder.want(800_000);
        assert_eq!(encoder.changes.len(), 2);
        encoder.run(20);
        assert_eq!((encoder.applied, encoder.changes.len()), (800_000, 2));
    }

    #[test]
    fn encoder_that_makes_twice_the_rate_gets_half_of_it() {
        let mut encoder = Encoder::new(Manners::default(), 193);
        encoder.run(10);
        let made = encoder.applied * encoder.percent / 100;
        assert!((900_000..=1_100_000).contains(&made), "{made}");
        // It keeps to that, and to other rates from the first moment.
        encoder.want(2 * MEGABIT);
        let made = encoder.applied * encoder.percent / 100;
        assert!((1_800_000..=2_200_000).contains(&made), "{made}");
        // Whatever made it so is over.
        encoder.percent = 100;
        encoder.run(30);
        assert_eq!(encoder.applied, 2 * MEGABIT);
    }

    #[test]
    fn encoder_whose_rate_moves_all_the_time_is_judged_too() {
        let mut encoder = Encoder::new(Manners::default(), 190);
        for step in 0..60 {
            encoder.want(MEGABIT - step % 10 * 10_000);
            encoder.run(1);
        }
        let made = encoder.applied * encoder.percent / 100;
        assert!((800_000..=1_200_000).contains(&made), "{made}");
    }

    #[test]
    fn encoder_that_can_do_no_less_keeps_a_minimum() {
        let mut encoder = Encoder::new(Manners::default(), 1_000);
        encoder.run(60);
        assert_eq!(encoder.applied, MEGABIT / 100 * LEAST_CORRECTION_PERCENT);
    }

    #[test]
    fn picture_that_needs_little_is_no_reason_to_ask_for_more() {
        let mut encoder = Encoder::new(Manners::default(), 10);
        encoder.run(60);
        assert_eq!(encoder.changes, []);
    }

    #[test]
    fn encoder_with_a_key_frame_at_each_change_is_changed_seldom() {
        let manners = Manners {
            raise_interval: Duration::from_secs(15),
            lower_interval: Duration::from_secs(2),
            worthwhile_percent: 15,
        };
        let mut encoder = Encoder::new(manners, 100);
        // A path that gets better in small steps, four a second.
        for step in 1..=120 {
            encoder.want(MEGABIT + step * 10_000);
            encoder.run(1);
        }
        assert!(encoder.changes.len() <= 9, "{:?}", encoder.changes);
        let before = encoder.changes.len();
        encoder.want(encoder.applied * 90 / 100);
        encoder.run(5);
        assert_eq!(
            encoder.changes.len(),
            before,
            "a little less is not worth it"
        );
        encoder.want(MEGABIT / 2);
        encoder.run(2);
        assert_eq!(
            encoder.applied,
            MEGABIT / 2,
            "what the path does not take is"
        );
    }

    #[test]
    fn encoder_without_requested_key_frames_is_reported_once() {
        let mut encoder = Encoder::new(Manners::default(), 100);
        for _ in 0..40 {
            encoder.control.handle_key_frame_asked(encoder.now);
            encoder.run(1);
        }
        assert_eq!(encoder.others, [EncoderEvent::NoKeyFrames]);
        let mut responsive = Encoder::new(Manners::default(), 100);
        for _ in 0..40 {
            responsive.control.handle_key_frame_asked(responsive.now);
            responsive.output.key_frames += 1;
            responsive.run(1);
        }
        assert_eq!(responsive.others, []);
    }

    #[test]
    fn encoder_without_pictures_cannot_make_key_frames_and_is_not_blamed() {
        let (mut control, now) = (
            EncoderControl::new(Manners::default(), MEGABIT, Instant::now()),
            Instant::now(),
        );
        for second in 0..60 {
            let now = now + Duration::from_secs(second);
            control.handle_key_frame_asked(now);
            control.handle_timeout(now);
        }
        assert_eq!(control.poll_event(), None);
    }

    proptest! {
        /// Set rates never exceed the target, nor fall far below it, whatever the output is.
        #[test]
        fn set_rates_stay_within_the_target(
            steps in proptest::collection::vec((0..20_000_000u64, 0..2_000u64, 0..5_000u64), 1..100),
        ) {
            let mut now = Instant::now();
            let mut control = EncoderControl::new(Manners::default(), MEGABIT, now);
            let mut output = Output::default();
            let mut wanted;
            for (rate, kilobytes, milliseconds) in steps {
                wanted = rate;
                now += MS * u32::try_from(milliseconds).unwrap_or(0);
                output.bytes += kilobytes * 1_000;
                output.frames += 1;
                control.handle_output(output);
                control.handle_rate(rate, now);
                control.handle_timeout(now);
                while let Some(event) = control.poll_event() {
                    if let EncoderEvent::SetRate(applied) = event {
                        prop_assert!(applied <= wanted && applied >= wanted / 100 * LEAST_CORRECTION_PERCENT);
                    }
                }
            }
        }
    }
}
