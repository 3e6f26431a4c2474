//! What is measured of a server: names, units and targets.

use std::fmt::{self, Display, Formatter};

use super::case::BURST;
use super::churn::{IDLE, PRODUCERS};
use crate::bench::table::Target;

/// One quantity; in the order of the tables.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Quantity {
    /// Of the server, in microseconds for each message or connection.
    ProcessorTime(Operation, Conditions),
    /// The part of it that is the server's own.
    UserTime(Operation, Conditions),
    /// The part of it that is the kernel's.
    SystemTime(Operation, Conditions),
    /// How often the process of the load went to sleep for each message or connection.
    LoadSleeps(Operation, Conditions),
    /// Of the server, in microseconds for each producer that comes and leaves, however many notices of it were
    /// delivered.
    ChurnTime(Operation, Conditions),
    /// How many of the notices of arrivals and leaves were delivered, in percent. A server may leave out an arrival of
    /// which a listener has not read before the leave.
    ChurnDelivered(Operation, Conditions),
    /// In KiB.
    IdleMemory,
    /// From sender to receiver, in microseconds.
    RelayDelayP50(Conditions),
    RelayDelayP99(Conditions),
}

/// What costs the server time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Operation {
    Relay,
    Notice,
    NoticeInBurst,
    ChurnNotice,
    ChurnNoticeBesideIdle,
    Connect,
}

/// What else the machine does meanwhile.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Conditions {
    /// As many processes spin as there are processors.
    pub(super) busy: bool,
    /// The process of the load never sleeps, so no `send` of the server has to wake it.
    pub(super) awake: bool,
}

impl Quantity {
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::ProcessorTime(..) | Self::UserTime(..) | Self::SystemTime(..) => "us",
            Self::RelayDelayP50(_) | Self::RelayDelayP99(_) => "us",
            Self::ChurnTime(..) => "us",
            Self::LoadSleeps(..) => "sleeps",
            Self::ChurnDelivered(..) => "%",
            Self::IdleMemory => "KiB",
        }
    }

    /// For plain connections, beside the published server.
    pub(super) fn target(self) -> Option<Target> {
        let quiet = Conditions::default();
        let most = match self {
            Self::IdleMemory => return Some(Target::Absolute(10.0)),
            Self::ProcessorTime(Operation::Relay, conditions) if !conditions.awake => {
                if conditions.busy { 0.4 } else { 0.55 }
            }
            Self::ProcessorTime(Operation::Notice, conditions) if conditions == quiet => 0.8,
            Self::ProcessorTime(Operation::NoticeInBurst, conditions) if conditions == quiet => 0.6,
            Self::RelayDelayP50(conditions) if !conditions.awake => 0.8,
            Self::RelayDelayP99(conditions) if !conditions.awake => 1.0,
            _ => return None,
        };
        Some(Target::Ratio(most))
    }
}

impl Operation {
    /// What else there is, as a part of a name.
    fn beside(self) -> String {
        match self {
            Self::ChurnNoticeBesideIdle => format!(", {IDLE} idle peers"),
            _ => String::new(),
        }
    }
}

impl Display for Quantity {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcessorTime(operation, conditions) => {
                write!(formatter, "processor time per {operation}{conditions}")
            }
            Self::UserTime(operation, conditions) => {
                write!(formatter, "user time per {operation}{conditions}")
            }
            Self::SystemTime(operation, conditions) => {
                write!(formatter, "system time per {operation}{conditions}")
            }
            Self::LoadSleeps(operation, conditions) => {
                write!(formatter, "sleeps of the load per {operation}{conditions}")
            }
            Self::ChurnTime(operation, conditions) => {
                write!(
                    formatter,
                    "processor time per producer{}{conditions}",
                    operation.beside()
                )
            }
            Self::ChurnDelivered(operation, conditions) => {
                write!(
                    formatter,
                    "notices delivered{}{conditions}",
                    operation.beside()
                )
            }
            Self::IdleMemory => formatter.write_str("memory per idle connection"),
            Self::RelayDelayP50(conditions) => write!(formatter, "relay delay, p50{conditions}"),
            Self::RelayDelayP99(conditions) => write!(formatter, "relay delay, p99{conditions}"),
        }
    }
}

impl Display for Operation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay => formatter.write_str("relayed message"),
            Self::Notice => formatter.write_str("notice"),
            Self::NoticeInBurst => write!(formatter, "notice, {BURST} changes at once"),
            Self::ChurnNotice => write!(formatter, "notice, {PRODUCERS} producers"),
            Self::ChurnNoticeBesideIdle => {
                write!(
                    formatter,
                    "notice, {PRODUCERS} producers, {IDLE} idle peers"
                )
            }
            Self::Connect => formatter.write_str("connect"),
        }
    }
}

impl Display for Conditions {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.busy {
            formatter.write_str(", busy machine")?;
        }
        if self.awake {
            formatter.write_str(", receivers awake")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Conditions = Conditions {
        busy: false,
        awake: false,
    };
    const BUSY: Conditions = Conditions {
        busy: true,
        awake: false,
    };
    const AWAKE: Conditions = Conditions {
        busy: false,
        awake: true,
    };

    #[test]
    fn targets_are_of_sleeping_receivers() {
        let relay = |conditions| Quantity::ProcessorTime(Operation::Relay, conditions).target();
        assert_eq!(relay(QUIET), Some(Target::Ratio(0.55)));
        assert_eq!(relay(BUSY), Some(Target::Ratio(0.4)));
        assert_eq!(relay(AWAKE), None);
        let notice = |conditions| Quantity::ProcessorTime(Operation::Notice, conditions).target();
        assert_eq!(notice(QUIET), Some(Target::Ratio(0.8)));
        assert_eq!(notice(BUSY), None);
        assert_eq!(notice(AWAKE), None);
        assert_eq!(Quantity::UserTime(Operation::Relay, QUIET).target(), None);
        assert_eq!(Quantity::IdleMemory.target(), Some(Target::Absolute(10.0)));
    }

    #[test]
    fn name_says_under_which_conditions() {
        let name = |conditions| Quantity::RelayDelayP99(conditions).to_string();
        assert_eq!(name(QUIET), "relay delay, p99");
        assert_eq!(name(AWAKE), "relay delay, p99, receivers awake");
        let both = Conditions {
            busy: true,
            ..AWAKE
        };
        assert_eq!(
            name(both),
            "relay delay, p99, busy machine, receivers awake"
        );
    }
}
