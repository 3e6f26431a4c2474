//! What two peers of a session say to each other through the server.

use serde::{Deserialize, Serialize};

use super::id::SessionId;

/// A session description or a candidate on its way to the other member of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerMessage {
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// What is passed on. If a text carries both `sdp` and `ice`, the first counts.
    #[serde(flatten)]
    pub body: PeerMessageBody,
}

/// What a [`PeerMessage`] passes on. The texts are opaque to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerMessageBody {
    /// An offer or an answer (JSEP, RFC 9429).
    Sdp(SessionDescription),
    /// A candidate (RFC 8840).
    #[serde(rename_all = "camelCase")]
    Ice {
        /// The candidate attribute; the empty text is the end of candidates.
        candidate: String,
        /// Which media section of the description it belongs to, from 0.
        #[serde(rename = "sdpMLineIndex")]
        sdp_m_line_index: u32,
    },
}

/// An offer or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum SessionDescription {
    /// An offer; by `peer` message only a producer may send one.
    Offer {
        /// The description (SDP, RFC 8866).
        sdp: String,
    },
    /// The answer to an offer.
    Answer {
        /// The description (SDP, RFC 8866).
        sdp: String,
    },
}

impl PeerMessageBody {
    /// Whether it is an offer.
    pub fn is_offer(&self) -> bool {
        matches!(self, Self::Sdp(SessionDescription::Offer { .. }))
    }
}
