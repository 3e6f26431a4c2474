//! What the signaller's task and its owner share.

use tokio_util::sync::CancellationToken;
use wigwag_protocol::json::PeerStatus;

use super::config::NativeLimits;
use super::outgoing::Outgoing;
use super::target::Target;

/// What the task shares with its owner.
pub(super) struct Context {
    pub(super) target: Target,
    pub(super) status: PeerStatus,
    pub(super) limits: NativeLimits,
    pub(super) outgoing: Outgoing,
    pub(super) stopping: CancellationToken,
}
