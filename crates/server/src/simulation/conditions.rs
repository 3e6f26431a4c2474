//! What can happen in a run.

/// The conditions of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkConditions {
    /// Nobody sends more than readers take at once, so nothing may be left out.
    Calm,
    /// Everything.
    Wild,
}
