//! How long to wait before another attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);

/// Twice as long each time, up to a limit; from the start again after success.
#[derive(Debug)]
pub(crate) struct BackOff(Duration);

impl BackOff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The wait before the next attempt.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST);
        wait
    }

    /// An attempt was successful.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_begin_again() {
        let mut back_off = BackOff::new();
        let waits: Vec<_> = (0..6).map(|_| back_off.wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        back_off.reset();
        assert_eq!(back_off.wait(), FIRST);
    }
}
