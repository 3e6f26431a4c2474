//! What is said to the server and understood of it, over one connection. No I/O, no clock.
//!
//! The owner calls [`on_text`](Conversation::on_text) and [`on_pong`](Conversation::on_pong) for what
//! comes from the server, and does what they put out, in that order. It asks
//! [`say`](Conversation::say) how to put each command of the element.
//!
//! The server speaks first, with our id. We declare our status and ping: as a server handles what it
//! receives in order, its pong says that we are registered, or its close why not.

use std::collections::HashSet;

use wigwag_protocol::json::{
    self, ClientMessage, PeerMessage, PeerMessageBody, PeerStatus, ProtocolVersion, ServerMessage,
    SessionDescription,
};

use crate::error::SignallerError;
use crate::signaller::{Candidate, Description, PeerId, SessionId, SignallerEvent};

/// The payload of the ping that asks whether we are registered.
pub(crate) const REGISTRATION_PING: &[u8] = b"registered?";

#[derive(Debug)]
pub(crate) struct Conversation {
    status: PeerStatus,
    max_sessions: usize,
    phase: Phase,
    /// The sessions that live on this connection.
    sessions: HashSet<SessionId>,
}

/// What the element wants to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Describe {
        session: SessionId,
        description: Description,
    },
    Candidate {
        session: SessionId,
        candidate: Candidate,
    },
    End {
        session: SessionId,
        reason: Option<String>,
    },
}

/// What the owner is to do.
#[derive(Debug)]
pub(crate) enum Output {
    Send(ClientMessage),
    /// Send a ping with [`REGISTRATION_PING`].
    AskWhetherRegistered,
    Tell(SignallerEvent),
    /// Close the connection.
    GiveUp(SignallerError),
}

#[derive(Debug)]
enum Phase {
    Unwelcomed,
    Registering(PeerId),
    Registered,
}

impl Conversation {
    pub(crate) fn new(status: PeerStatus, max_sessions: usize) -> Self {
        Self {
            status,
            max_sessions,
            phase: Phase::Unwelcomed,
            sessions: HashSet::new(),
        }
    }

    /// What is awaited of the server before it can be worked with, if anything.
    pub(crate) fn awaits(&self) -> Option<&'static str> {
        match self.phase {
            Phase::Unwelcomed => Some("welcome"),
            Phase::Registering(_) => Some("answer to the registration"),
            Phase::Registered => None,
        }
    }

    /// Understands a text message of the server.
    pub(crate) fn on_text(&mut self, text: &str, outputs: &mut Vec<Output>) {
        match ServerMessage::from_json(text) {
            Ok(message) => self.on_message(message, outputs),
            // It may be of a later version of the protocol.
            Err(malformed) => tracing::debug!(%malformed, "ignored a text of the server"),
        }
    }

    /// Understands a pong of the server.
    pub(crate) fn on_pong(&mut self, payload: &[u8], outputs: &mut Vec<Output>) {
        if payload == REGISTRATION_PING {
            self.registered(outputs);
        }
    }

    /// How to say something to the server, in one message or two; in none if it is of a session that the
    /// server has forgotten.
    pub(crate) fn say(&mut self, command: Command) -> [Option<ClientMessage>; 2] {
        let message = match command {
            Command::Describe {
                session,
                description,
            } => {
                let description = match description {
                    Description::Offer(sdp) => SessionDescription::Offer {
                        sdp: sdp.into_string(),
                    },
                    Description::Answer(sdp) => SessionDescription::Answer {
                        sdp: sdp.into_string(),
                    },
                };
                self.peer_message(&session, PeerMessageBody::Sdp(description))
            }
            Command::Candidate { session, candidate } => self.peer_message(
                &session,
                PeerMessageBody::Ice {
                    candidate: candidate.candidate,
                    sdp_m_line_index: candidate.m_line.unwrap_or(0),
                },
            ),
            Command::End { session, reason } => {
                if !self.sessions.remove(&session) {
                    return [None, None];
                }
                let session_id = wire_id(&session);
                let end = ClientMessage::EndSession {
                    session_id: session_id.clone(),
                };
                // A server of version 1.0 drops the first, one of 1.1 finds nothing left to do in the second.
                let with_reason = reason.map(|reason| ClientMessage::EndSessionV1_1 {
                    session_id,
                    error: Some(reason),
                });
                return [with_reason, Some(end)];
            }
        };
        [message, None]
    }

    fn on_message(&mut self, message: ServerMessage, outputs: &mut Vec<Output>) {
        match message {
            ServerMessage::Welcome { peer_id } => self.on_welcome(&peer_id, outputs),
            ServerMessage::StartSession {
                peer_id,
                session_id,
                offer,
            } => {
                self.registered(outputs);
                self.on_start(&peer_id, session_id, offer, outputs);
            }
            ServerMessage::EndSession { session_id } => self.on_end(&session_id, None, outputs),
            ServerMessage::EndSessionV1_1 { session_id, error } => {
                self.on_end(&session_id, error, outputs);
            }
            ServerMessage::Peer(message) => self.on_peer_message(message, outputs),
            ServerMessage::Error { details } => outputs.push(match self.phase {
                Phase::Registered => Output::Tell(SignallerEvent::ServerError { details }),
                _ => Output::GiveUp(SignallerError::Refused { details }),
            }),
            ServerMessage::PeerStatusChanged(_)
            | ServerMessage::SessionStarted { .. }
            | ServerMessage::List { .. }
            | ServerMessage::ListConsumers { .. } => {
                tracing::debug!("ignored a message that is not for a producer");
            }
        }
    }

    fn on_welcome(&mut self, peer_id: &json::PeerId, outputs: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Unwelcomed) {
            tracing::debug!("ignored a second welcome");
            return;
        }
        self.phase = Phase::Registering(PeerId::from(peer_id.as_str()));
        // It has to come first. A server that knows no versions drops it.
        outputs.push(Output::Send(ClientMessage::SetProtocolVersion {
            version: ProtocolVersion::V1_1,
        }));
        outputs.push(Output::Send(ClientMessage::SetPeerStatus(PeerStatus {
            peer_id: Some(peer_id.clone()),
            ..self.status.clone()
        })));
        outputs.push(Output::AskWhetherRegistered);
    }

    fn registered(&mut self, outputs: &mut Vec<Output>) {
        if let Phase::Registering(peer_id) = &self.phase {
            outputs.push(Output::Tell(SignallerEvent::Connected {
                peer_id: peer_id.clone(),
            }));
            self.phase = Phase::Registered;
        }
    }

    fn on_start(
        &mut self,
        peer: &json::PeerId,
        session_id: json::SessionId,
        offer: Option<String>,
        outputs: &mut Vec<Output>,
    ) {
        if !matches!(self.phase, Phase::Registered) {
            tracing::debug!("ignored a session before the welcome");
            return;
        }
        let session = SessionId::from(session_id.as_str());
        if self.sessions.contains(&session) {
            tracing::debug!(%session, "ignored a session that lives already");
            return;
        }
        if self.sessions.len() >= self.max_sessions {
            tracing::warn!(
                limit = self.max_sessions,
                "turned down one session too many"
            );
            outputs.push(Output::Send(ClientMessage::EndSession { session_id }));
            return;
        }
        self.sessions.insert(session.clone());
        outputs.push(Output::Tell(SignallerEvent::SessionRequested {
            session,
            peer: PeerId::from(peer.as_str()),
            offer: offer.map(Into::into),
        }));
    }

    fn on_end(
        &mut self,
        session_id: &json::SessionId,
        reason: Option<String>,
        outputs: &mut Vec<Output>,
    ) {
        let session = SessionId::from(session_id.as_str());
        // Both sides may end one at the same time.
        if self.sessions.remove(&session) {
            outputs.push(Output::Tell(SignallerEvent::SessionEnded {
                session,
                reason,
            }));
        }
    }

    fn on_peer_message(&self, message: PeerMessage, outputs: &mut Vec<Output>) {
        let session = SessionId::from(message.session_id.as_str());
        if !self.sessions.contains(&session) {
            tracing::debug!(%session, "ignored a message of a session that is gone");
            return;
        }
        outputs.push(Output::Tell(match message.body {
            PeerMessageBody::Sdp(description) => SignallerEvent::Description {
                session,
                description: match description {
                    SessionDescription::Offer { sdp } => Description::Offer(sdp.into()),
                    SessionDescription::Answer { sdp } => Description::Answer(sdp.into()),
                },
            },
            PeerMessageBody::Ice {
                candidate,
                sdp_m_line_index,
            } => SignallerEvent::Candidate {
                session,
                candidate: Candidate {
                    candidate,
                    m_line: Some(sdp_m_line_index),
                    mid: None,
                },
            },
        }));
    }

    fn peer_message(&self, session: &SessionId, body: PeerMessageBody) -> Option<ClientMessage> {
        if !self.sessions.contains(session) {
            return None;
        }
        Some(ClientMessage::Peer(PeerMessage {
            session_id: wire_id(session),
            body,
        }))
    }
}

fn wire_id(session: &SessionId) -> json::SessionId {
    json::SessionId::from(session.as_str())
}

#[cfg(test)]
mod tests;
