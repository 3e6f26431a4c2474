//! Waits between attempts that fail: each twice as long as the one before, up to a longest.

use std::time::Duration;

/// The waits of one thing that is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackOff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl BackOff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.after(self.failures);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The wait after a failure that `before` others came before.
    pub(crate) fn after(&self, before: u32) -> Duration {
        let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Begins with the first wait again: something succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_reset() {
        let mut back_off = BackOff::new(Duration::from_millis(5), Duration::from_millis(30));
        let mut waits = || back_off.next_wait().as_millis();
        assert_eq!(
            [waits(), waits(), waits(), waits(), waits()],
            [5, 10, 20, 30, 30]
        );
        back_off.reset();
        assert_eq!(back_off.next_wait().as_millis(), 5);
        assert_eq!(back_off.after(u32::MAX).as_millis(), 30);
    }
}
