//! Which parts are measured, and under which conditions.

use super::quantity::Conditions;
use super::{Part, Signalling};

pub(super) struct Plan {
    /// Only these; all if empty.
    only: Vec<Part>,
    /// The machine is busy in all of them.
    busy: bool,
    /// Without TLS, and without listeners that stop reading.
    plain: bool,
}

impl Plan {
    pub(super) fn of(arguments: &Signalling) -> Self {
        Self {
            only: arguments.only.clone(),
            busy: arguments.busy,
            plain: arguments.plain,
        }
    }

    pub(super) fn includes(&self, part: Part) -> bool {
        if self.only.is_empty() {
            return part != Part::Stalled || !self.plain;
        }
        self.only.contains(&part)
    }

    /// Whether something is measured that needs as many peers as were asked for.
    pub(super) fn includes_peers(&self) -> bool {
        [Part::Connect, Part::Relay, Part::Notices]
            .into_iter()
            .any(|part| self.includes(part))
    }

    pub(super) fn tls(&self) -> bool {
        !self.plain
    }

    /// Of what is measured under one condition.
    pub(super) fn conditions(&self) -> Conditions {
        Conditions {
            busy: self.busy,
            awake: false,
        }
    }

    /// Of notices.
    pub(super) fn notice_conditions(&self) -> Vec<Conditions> {
        let asleep = self.conditions();
        let awake = Conditions {
            awake: true,
            ..asleep
        };
        vec![asleep, awake]
    }

    /// Of relayed messages: on a busy machine in any case.
    pub(super) fn relay_conditions(&self) -> Vec<Conditions> {
        let mut conditions = self.notice_conditions();
        if !self.busy {
            conditions.push(Conditions {
                busy: true,
                awake: false,
            });
        }
        conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(only: &[Part], busy: bool, plain: bool) -> Plan {
        Plan {
            only: only.to_vec(),
            busy,
            plain,
        }
    }

    #[test]
    fn plan_without_names_has_all_parts() {
        let plan = plan(&[], false, false);
        assert!(plan.includes(Part::Churn) && plan.includes(Part::Stalled));
        assert!(plan.includes_peers() && plan.tls());
    }

    #[test]
    fn plan_of_one_part_has_no_other() {
        let plan = plan(&[Part::Churn], false, true);
        assert!(plan.includes(Part::Churn) && !plan.includes(Part::Relay));
        assert!(!plan.includes_peers() && !plan.tls());
    }

    #[test]
    fn plain_plan_has_stalled_listeners_only_by_name() {
        assert!(!plan(&[], false, true).includes(Part::Stalled));
        assert!(plan(&[Part::Stalled], false, true).includes(Part::Stalled));
    }

    #[test]
    fn relay_is_measured_on_a_busy_machine_once() {
        let busy = |busy| {
            let conditions = plan(&[], busy, false).relay_conditions();
            let busy = conditions.iter().filter(|conditions| conditions.busy);
            (busy.count(), conditions.len())
        };
        assert_eq!(busy(false), (1, 3));
        assert_eq!(busy(true), (2, 2));
    }
}
