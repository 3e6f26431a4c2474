//! What can be wrong with settings together.

/// Settings that are right one by one, but not together. All name keys.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Unfit {
    /// The first is set, and demands the second, which is not.
    Missing(&'static str, &'static str),
    /// Both are set, and only one can be.
    Both(&'static str, &'static str),
    /// What is set is of no use, for a reason.
    Unusable(&'static str, String),
}
