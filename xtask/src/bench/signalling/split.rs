//! Processor time apart, the server's own and the kernel's, with how often the load slept: as a table of its own.

use std::fmt::Write;

use super::quantity::{Conditions, Operation, Quantity};
use super::rounds::Rounds;

/// What one operation took, for the reference and for ours. Where a figure is missing, it was too short to be split.
pub(super) struct Split {
    what: String,
    reference: [Option<f64>; 3],
    ours: [Option<f64>; 3],
}

const COLUMNS: [fn(Operation, Conditions) -> Quantity; 3] = [
    Quantity::UserTime,
    Quantity::SystemTime,
    Quantity::LoadSleeps,
];

impl Split {
    pub(super) fn of(rounds: &Rounds) -> Vec<Self> {
        let mut splits = Vec::new();
        for quantity in rounds.quantities() {
            if let Quantity::ProcessorTime(operation, conditions) = quantity {
                let quantities = COLUMNS.map(|column| column(operation, conditions));
                splits.push(Self {
                    what: format!("{operation}{conditions}"),
                    reference: quantities.map(|quantity| rounds.reference(quantity)),
                    ours: quantities.map(|quantity| rounds.ours(quantity)),
                });
            }
        }
        splits
    }
}

pub(super) fn print(splits: &[Split]) {
    println!(
        "\n{:<54} {:>26} {:>30}\n{:<54} {HEADINGS} {HEADINGS}",
        "User and system time (us), sleeps of the load", "reference", "wigwag", "each, per"
    );
    for split in splits {
        print!("{:<54}", split.what);
        for figures in [split.reference, split.ours] {
            for figure in figures {
                print!(" {:>9}", shown(figure));
            }
        }
        println!();
    }
}

const HEADINGS: &str = "     user    system    sleeps";

pub(super) fn markdown(splits: &[Split]) -> String {
    let mut text = String::from(
        "| per | reference: user (us) | system (us) | sleeps of the load | Wigwag: user (us) | system (us) | sleeps of the load |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for split in splits {
        let _ = write!(text, "| {} |", split.what);
        for figure in split.reference.iter().chain(&split.ours) {
            let _ = write!(text, " {} |", shown(*figure));
        }
        text.push('\n');
    }
    text
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}

#[cfg(test)]
mod tests {
    use super::super::rounds::Measured;
    use super::*;

    #[test]
    fn page_has_the_parts_of_each_cost() {
        let conditions = Conditions::default();
        let measured = |user| {
            let mut measured = Measured::default();
            measured.insert(Quantity::ProcessorTime(Operation::Relay, conditions), 9.0);
            if let Some(user) = user {
                measured.insert(Quantity::UserTime(Operation::Relay, conditions), user);
            }
            measured.insert(Quantity::LoadSleeps(Operation::Relay, conditions), 0.5);
            measured
        };
        let mut rounds = Rounds::default();
        rounds.push([measured(Some(3.0)), measured(None)]);
        let text = markdown(&Split::of(&rounds));
        assert!(
            text.ends_with("| relayed message | 3.000 | - | 0.500 | - | - | 0.500 |\n"),
            "{text}"
        );
    }
}
