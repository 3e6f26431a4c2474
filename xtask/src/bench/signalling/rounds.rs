//! What rounds showed: medians, and the medians of their ratios.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::quantity::{Conditions, Operation, Quantity};
use crate::bench::process::ProcessorTime;

/// What one run of one server showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured(BTreeMap<Quantity, f64>);

/// The same of all rounds; in each, the reference is measured and then ours.
#[derive(Debug, Default)]
pub(super) struct Rounds(Vec<[Measured; 2]>);

/// What so many messages or connections cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) count: usize,
    /// The server's.
    pub(super) processor_time: ProcessorTime,
    /// How often the process of the load went to sleep.
    pub(super) load_sleeps: u64,
}

impl Measured {
    pub(super) fn insert(&mut self, quantity: Quantity, value: f64) {
        self.0.insert(quantity, value);
    }

    pub(super) fn insert_cost(&mut self, operation: Operation, conditions: Conditions, cost: Cost) {
        let count = cost.count as f64;
        let each = |time| microseconds(time) / count;
        let time = cost.processor_time;
        self.insert(
            Quantity::ProcessorTime(operation, conditions),
            each(time.total),
        );
        if let Some((user, system)) = time.user_and_system() {
            self.insert(Quantity::UserTime(operation, conditions), each(user));
            self.insert(Quantity::SystemTime(operation, conditions), each(system));
        }
        self.insert(
            Quantity::LoadSleeps(operation, conditions),
            cost.load_sleeps as f64 / count,
        );
    }

    /// A cost with its parts in one line.
    pub(super) fn print(&self, name: &str) {
        println!("{name}:");
        for (quantity, value) in &self.0 {
            let parts = match *quantity {
                Quantity::ProcessorTime(operation, conditions) => {
                    let part = |part: fn(Operation, Conditions) -> Quantity| {
                        self.0.get(&part(operation, conditions))
                    };
                    let sleeps = part(Quantity::LoadSleeps).copied().unwrap_or_default();
                    match (part(Quantity::UserTime), part(Quantity::SystemTime)) {
                        (Some(user), Some(system)) => {
                            format!(" ({user:.2} user, {system:.2} system; {sleeps:.3} sleeps)")
                        }
                        _ => format!(" ({sleeps:.3} sleeps)"),
                    }
                }
                Quantity::UserTime(..) | Quantity::SystemTime(..) | Quantity::LoadSleeps(..) => {
                    continue;
                }
                _ => String::new(),
            };
            println!("  {quantity}: {value:.2} {}{parts}", quantity.unit());
        }
    }
}

impl Rounds {
    /// Adds a round: the reference's figures and ours.
    pub(super) fn push(&mut self, round: [Measured; 2]) {
        self.0.push(round);
    }

    /// All that were measured of ours, in their order.
    pub(super) fn quantities(&self) -> BTreeSet<Quantity> {
        let ours = self.0.iter().flat_map(|[_, ours]| ours.0.keys());
        ours.copied().collect()
    }

    /// The median of the reference.
    pub(super) fn reference(&self, quantity: Quantity) -> Option<f64> {
        median(
            self.0
                .iter()
                .filter_map(|[reference, _]| reference.0.get(&quantity).copied()),
        )
    }

    /// The median of ours.
    pub(super) fn ours(&self, quantity: Quantity) -> Option<f64> {
        median(
            self.0
                .iter()
                .filter_map(|[_, ours]| ours.0.get(&quantity).copied()),
        )
    }

    /// The median of what ours was by the reference in the same round.
    pub(super) fn ratio(&self, quantity: Quantity) -> Option<f64> {
        median(self.0.iter().filter_map(|[reference, ours]| {
            Some(ours.0.get(&quantity)? / reference.0.get(&quantity)?)
        }))
    }
}

/// The middle one; of two, the larger.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

pub(super) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::process::Ticks;

    fn measured(memory: Option<f64>) -> Measured {
        let mut measured = Measured::default();
        if let Some(memory) = memory {
            measured.insert(Quantity::IdleMemory, memory);
        }
        measured
    }

    fn rounds(figures: &[(Option<f64>, Option<f64>)]) -> Rounds {
        let mut rounds = Rounds::default();
        for (reference, ours) in figures {
            rounds.push([measured(*reference), measured(*ours)]);
        }
        rounds
    }

    #[test]
    fn ratio_is_the_median_of_rounds_not_of_medians() {
        // A slow round is slow for both.
        let figures = [(10.0, 9.0), (100.0, 50.0), (20.0, 12.0)];
        let rounds = rounds(&figures.map(|(reference, ours)| (Some(reference), Some(ours))));
        assert_eq!(rounds.reference(Quantity::IdleMemory), Some(20.0));
        assert_eq!(rounds.ours(Quantity::IdleMemory), Some(12.0));
        assert_eq!(rounds.ratio(Quantity::IdleMemory), Some(0.6));
        // Of two, the larger.
        let two = self::rounds(&[(Some(10.0), Some(9.0)), (Some(10.0), Some(5.0))]);
        assert_eq!(two.ratio(Quantity::IdleMemory), Some(0.9));
    }

    #[test]
    fn ratio_without_a_figure_in_a_round_is_of_the_others() {
        let rounds = rounds(&[(None, Some(1.0)), (Some(4.0), None), (Some(4.0), Some(1.0))]);
        assert_eq!(rounds.ratio(Quantity::IdleMemory), Some(0.25));
        let none = self::rounds(&[(None, Some(1.0))]);
        assert_eq!(none.ratio(Quantity::IdleMemory), None);
        assert_eq!(none.reference(Quantity::IdleMemory), None);
        assert_eq!(none.quantities().len(), 1);
    }

    #[test]
    fn cost_is_divided_by_its_messages() {
        let conditions = Conditions::default();
        let cost = |ticks| {
            let mut measured = Measured::default();
            let cost = Cost {
                count: 10,
                processor_time: ProcessorTime {
                    total: Duration::from_micros(400),
                    ticks,
                },
                load_sleeps: 5,
            };
            measured.insert_cost(Operation::Relay, conditions, cost);
            measured
        };
        let Measured(figures) = cost(Ticks { user: 1, system: 3 });
        let figure = |quantity: fn(Operation, Conditions) -> Quantity| {
            figures[&quantity(Operation::Relay, conditions)]
        };
        assert_eq!(figure(Quantity::ProcessorTime), 40.0);
        assert_eq!(figure(Quantity::UserTime), 10.0);
        assert_eq!(figure(Quantity::SystemTime), 30.0);
        assert_eq!(figure(Quantity::LoadSleeps), 0.5);
        // Too short for a tick: how it is split is unknown.
        let Measured(figures) = cost(Ticks::default());
        assert!(!figures.contains_key(&Quantity::UserTime(Operation::Relay, conditions)));
    }
}
