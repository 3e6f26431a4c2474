//! Why the server closes a WebSocket, as close code (RFC 6455, 7.4.1) and text.

use std::sync::Arc;
use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wigwag_hub::{Full, Violation, text};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CloseReason {
    #[error("the server is shutting down")]
    ShuttingDown,
    /// With the limit that was passed.
    #[error("does not read: {queued} messages were waiting")]
    DoesNotRead { queued: usize, limit: &'static str },
    #[error("more waits for a peer than it reads")]
    ExceedsReader,
    #[error("more than {per_second} messages a second")]
    PeerMessageRate { per_second: u32 },
    #[error("more than {per_second} messages a second from this address")]
    AddressMessageRate { per_second: u32 },
    #[error("no answer to a ping for {} s", .0.as_secs())]
    NoPong(Duration),
    #[error("took nothing for {} s", .0.as_secs())]
    TakesNothing(Duration),
    #[error("a message of more than {limit} bytes")]
    MessageTooLarge { limit: usize },
    #[error(
        "this address holds too much of the server's memory; send less at once, or try again later"
    )]
    HoldsTooMuch,
    #[error("no HELLO for {} s", .0.as_secs())]
    NoHello(Duration),
    /// With what the operator says of it.
    #[error("{}", .0.as_deref().unwrap_or("removed by the operator"))]
    Removed(Option<Arc<str>>),
    #[error("its partner left")]
    PartnerLeft,
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    TextViolation(#[from] text::Violation),
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    TextFull(#[from] text::Full),
}

impl CloseReason {
    pub(crate) fn code(&self) -> CloseCode {
        match self {
            Self::ShuttingDown => CloseCode::Away,
            Self::MessageTooLarge { .. } => CloseCode::Size,
            Self::PartnerLeft => CloseCode::Normal,
            Self::TextViolation(
                text::Violation::InvalidProtocol | text::Violation::InvalidPeerId,
            ) => CloseCode::Protocol,
            Self::Full(_) | Self::TextFull(_) | Self::HoldsTooMuch => CloseCode::Again,
            Self::DoesNotRead { .. }
            | Self::ExceedsReader
            | Self::PeerMessageRate { .. }
            | Self::AddressMessageRate { .. }
            | Self::NoPong(_)
            | Self::TakesNothing(_)
            | Self::NoHello(_)
            | Self::Removed(_)
            | Self::Violation(_)
            | Self::TextViolation(_) => CloseCode::Policy,
        }
    }

    /// Its name in logs and metrics: the limit that was passed, or what else happened.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutdown",
            Self::DoesNotRead { limit, .. } => limit,
            Self::ExceedsReader => "exceeds_reader",
            Self::PeerMessageRate { .. } => "peer_messages_per_second",
            Self::AddressMessageRate { .. } => "address_messages_per_second",
            Self::NoPong(_) | Self::TakesNothing(_) => "pong_timeout",
            Self::MessageTooLarge { .. } => "max_message_bytes",
            Self::HoldsTooMuch => "max_held_bytes",
            Self::NoHello(_) => "hello_timeout",
            Self::PartnerLeft => "partner_left",
            Self::Removed(_) => "removed",
            Self::Violation(violation) => violation.name(),
            Self::TextViolation(violation) => violation.name(),
            Self::Full(full) => full.name(),
            Self::TextFull(full) => full.name(),
        }
    }

    pub(crate) fn frame(&self) -> CloseFrame {
        CloseFrame {
            code: self.code(),
            reason: match self {
                // The original gives none, and nothing went wrong.
                Self::PartnerLeft => "".into(),
                // As long as the operator made it; all others are known to fit.
                _ => beginning(self.to_string(), MAX_TEXT_BYTES).into(),
            },
        }
    }
}

/// The most that a control frame can carry beside the code (RFC 6455, 5.5).
const MAX_TEXT_BYTES: usize = 123;

/// As many characters of a text as fit into so many bytes.
fn beginning(mut text: String, max_bytes: usize) -> String {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::CLOSE_REASONS;

    #[test]
    fn what_the_operator_says_is_cut_between_characters() {
        assert_eq!(
            CloseReason::Removed(None).to_string(),
            "removed by the operator"
        );
        let long = CloseReason::Removed(Some("\u{fc}".repeat(120).into()));
        assert_eq!(long.frame().reason.as_str(), "\u{fc}".repeat(61));
    }

    #[test]
    fn every_reason_fits_into_a_close_frame() {
        let reasons = [
            CloseReason::ShuttingDown,
            CloseReason::DoesNotRead {
                queued: usize::MAX,
                limit: "max_queued_messages",
            },
            CloseReason::PeerMessageRate {
                per_second: u32::MAX,
            },
            CloseReason::AddressMessageRate {
                per_second: u32::MAX,
            },
            CloseReason::NoPong(Duration::MAX),
            CloseReason::TakesNothing(Duration::MAX),
            CloseReason::MessageTooLarge { limit: usize::MAX },
            CloseReason::Violation(Violation::TooManySessions { limit: usize::MAX }),
            CloseReason::Violation(Violation::MetaTooLarge {
                bytes: usize::MAX,
                limit: usize::MAX,
            }),
            CloseReason::Full(Full::Peers { limit: usize::MAX }),
            CloseReason::Full(Full::PeersOfAddress { limit: usize::MAX }),
            CloseReason::NoHello(Duration::MAX),
            CloseReason::HoldsTooMuch,
            CloseReason::Removed(None),
            CloseReason::PartnerLeft,
            CloseReason::TextViolation(text::Violation::InvalidProtocol),
            CloseReason::TextViolation(text::Violation::NameTooLong {
                bytes: usize::MAX,
                limit: usize::MAX,
            }),
            CloseReason::TextFull(text::Full::PeersOfAddress { limit: usize::MAX }),
        ];
        for reason in reasons {
            assert!(reason.to_string().len() <= MAX_TEXT_BYTES, "{reason}");
            assert!(CLOSE_REASONS.contains(&reason.name()), "{reason:?}");
            assert!([1000, 1001, 1002, 1008, 1009, 1013].contains(&u16::from(reason.frame().code)));
        }
    }
}
