//! What is done with the sources of an input.

use std::time::Duration;

use super::network::NetworkSettings;

/// After so long, a live source of which nothing comes is called again.
pub(crate) const SOURCE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is done with sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceSettings {
    /// Begins again at the end of a file.
    pub(crate) repeat: bool,
    /// A live source of which nothing comes for so long has failed; none: it is waited for.
    pub(crate) timeout: Option<Duration>,
    /// How often in a row a source that fails is called again; none: for ever.
    pub(crate) retry: Option<u32>,
    /// Called only while somebody watches, once it is known what it has.
    pub(crate) on_demand: bool,
    /// Others are published beside it, which must not end with it: it is called again whatever is wrong.
    pub(crate) is_one_of_many: bool,
    pub(crate) network: NetworkSettings,
}
