//! How often a change of the number of viewers is a line. No clock; time comes in.

use std::time::{Duration, Instant};

/// Lines at once.
const LINES_AT_ONCE: u32 = 20;

/// One more line after this. Who calls again and again must not fill a log.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Which changes are said at once. What is held back is said later, as it is by then.
#[derive(Debug, Default)]
pub(super) struct ViewerLines {
    /// When there may be [`LINES_AT_ONCE`] again.
    full_at: Option<Instant>,
    held_back: bool,
}

impl ViewerLines {
    /// The number changed; true if that is to be said.
    pub(super) fn handle_change(&mut self, now: Instant) -> bool {
        let begin = self.full_at.map_or(now, |full_at| full_at.max(now));
        let full_at = begin + LINE_INTERVAL;
        self.held_back = full_at > now + LINE_INTERVAL * LINES_AT_ONCE;
        if !self.held_back {
            self.full_at = Some(full_at);
        }
        !self.held_back
    }

    /// Whether what was held back is to be said now.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_due = self.poll_timeout().is_some_and(|due| due <= now);
        is_due && self.handle_change(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let full_at = self.full_at.filter(|_| self.held_back)?;
        full_at.checked_sub(LINE_INTERVAL * (LINES_AT_ONCE - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_changes_is_a_few_lines_and_the_last_is_said() {
        let begin = Instant::now();
        let mut lines = ViewerLines::default();
        let minute = 60_000;
        let mut said = 0;
        for elapsed in 0..minute {
            let now = begin + Duration::from_millis(elapsed);
            said += u32::from(lines.handle_timeout(now)) + u32::from(lines.handle_change(now));
        }
        assert!(
            (LINES_AT_ONCE + 11..=LINES_AT_ONCE + 12).contains(&said),
            "{said}"
        );
        let due = lines.poll_timeout().expect("one is held back");
        assert!(due <= begin + Duration::from_millis(minute) + LINE_INTERVAL);
        assert!(!lines.handle_timeout(due - Duration::from_millis(1)));
        assert!(lines.handle_timeout(due));
        assert_eq!(lines.poll_timeout(), None);
    }

    #[test]
    fn changes_now_and_then_are_all_said() {
        let begin = Instant::now();
        let mut lines = ViewerLines::default();
        assert!((0..1_000).all(|number| lines.handle_change(begin + LINE_INTERVAL * number)));
        assert_eq!(lines.poll_timeout(), None);
    }
}
