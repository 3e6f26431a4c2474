//! How long to wait before another attempt to connect. No I/O; chance comes in.

use std::time::Duration;

/// Waits that double, each shortened by chance by up to a half: clients of a server that restarts
/// should not all come back at once.
#[derive(Debug)]
pub(crate) struct BackOff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl BackOff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        let next = min.min(max);
        Self { min, max, next }
    }

    /// To be told how long a connection lasted: after a good one, waits are short again.
    pub(crate) fn on_connection_ended(&mut self, lasted: Duration) {
        if lasted >= self.max {
            self.next = self.min.min(self.max);
        }
    }

    /// The next wait; `chance` is from 0 to 1.
    pub(crate) fn wait(&mut self, chance: f64) -> Duration {
        let wait = self.next.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        self.next = self.next.saturating_mul(2).min(self.max);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(10);

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut back_off = BackOff::new(MIN, MAX);
        let waits: Vec<_> = (0..7).map(|_| back_off.wait(0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    }

    #[test]
    fn chance_shortens_by_up_to_a_half() {
        assert_eq!(BackOff::new(MIN, MAX).wait(1.0), MIN / 2);
        assert_eq!(BackOff::new(MIN, MAX).wait(0.5), MIN * 3 / 4);
    }

    #[test]
    fn only_a_good_connection_makes_waits_short_again() {
        let mut back_off = BackOff::new(MIN, MAX);
        back_off.wait(0.0);
        back_off.on_connection_ended(MAX / 2);
        assert_eq!(back_off.wait(0.0), MIN * 2);
        back_off.on_connection_ended(MAX);
        assert_eq!(back_off.wait(0.0), MIN);
    }
}
