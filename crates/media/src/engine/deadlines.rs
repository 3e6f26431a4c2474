//! When each session wants to be woken, without a look at all of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Deadlines within one tick are met together: a wake-up costs more than the work that is due, and the
/// pacers of many sessions ask for one each.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Deadlines by the keys of a slab.
///
/// A deadline that moves away is not touched: its owner is woken at the old one and sets the new one
/// then. Deadlines move away with every packet, so this saves most of the work.
#[derive(Debug)]
pub(super) struct Deadlines {
    start: Instant,
    due: BTreeSet<(u64, usize)>,
    /// The tick that is set for each key.
    set: Vec<Option<u64>>,
}

impl Deadlines {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            due: BTreeSet::new(),
            set: Vec::new(),
        }
    }

    /// Wakes `key` at `at`, or at the end of its tick.
    pub(super) fn set(&mut self, key: usize, at: Instant) {
        let since = at.saturating_duration_since(self.start);
        // 2^64 ticks are longer than any machine runs.
        let tick = u64::try_from(since.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX);
        if key >= self.set.len() {
            self.set.resize(key + 1, None);
        }
        match self.set[key] {
            Some(earlier) if earlier <= tick => {}
            before => {
                if let Some(before) = before {
                    self.due.remove(&(before, key));
                }
                self.due.insert((tick, key));
                self.set[key] = Some(tick);
            }
        }
    }

    pub(super) fn remove(&mut self, key: usize) {
        if let Some(tick) = self.set.get_mut(key).and_then(Option::take) {
            self.due.remove(&(tick, key));
        }
    }

    /// Takes a key whose tick is over; it has no deadline any more.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        if let Some(set) = self.set.get_mut(key) {
            *set = None;
        }
        Some(key)
    }

    /// When the next tick with a deadline is over.
    pub(super) fn next(&self) -> Option<Instant> {
        let (tick, _) = self.due.first()?;
        let nanos = u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
        let since = Duration::from_nanos(tick.saturating_mul(nanos));
        // Beyond what the clock can say is never; a day is as good.
        let never = self.start + Duration::from_secs(86_400);
        Some(self.start.checked_add(since).unwrap_or(never))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn due(deadlines: &mut Deadlines, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| deadlines.pop_due(now)).collect()
    }

    #[test]
    fn deadlines_of_one_tick_are_met_together_and_never_early() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.set(3, start + MS / 2);
        deadlines.set(1, start + 2 * MS);
        deadlines.set(2, start + 2 * MS + MS / 1000);
        assert_eq!(deadlines.next(), Some(start + TICK));
        assert_eq!(due(&mut deadlines, start + MS), []);
        assert_eq!(due(&mut deadlines, start + TICK), [1, 3]);
        assert_eq!(due(&mut deadlines, start + 2 * TICK), [2]);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn an_earlier_deadline_counts_at_once_and_a_later_one_when_it_is_set_again() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.set(0, start + 10 * MS);
        deadlines.set(0, start + 20 * MS);
        assert_eq!(deadlines.next(), Some(start + 10 * MS));
        deadlines.set(0, start + 4 * MS);
        assert_eq!(due(&mut deadlines, start + 4 * MS), [0]);
        assert_eq!(due(&mut deadlines, start + 40 * MS), []);
        deadlines.set(0, start + 50 * MS);
        assert_eq!(deadlines.next(), Some(start + 50 * MS));
    }

    #[test]
    fn what_is_removed_is_not_woken() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        deadlines.set(7, start);
        deadlines.remove(7);
        deadlines.remove(8);
        assert_eq!(due(&mut deadlines, start + MS), []);
        deadlines.set(7, start + Duration::from_secs(u64::MAX / 4_000_000_000));
        assert!(deadlines.next().is_some());
    }
}
