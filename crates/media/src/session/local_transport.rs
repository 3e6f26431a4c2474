//! Our end of the transport, as it is described before the viewer's end is known.
//!
//! str0m fixes payload types and header extensions when a connection is made, so one is made only when the viewer's
//! description is there. Until then this names our candidates, as that connection will, and knows which connectivity
//! checks are for us: those come before the viewer's answer, which takes a longer way, and are kept for the connection.

use std::net::SocketAddr;

use openssl::rand::rand_bytes;
use str0m::ice::{IceAgent, StunMessage};
use str0m::net::Protocol;
use str0m::{Candidate, IceCreds};

use super::{ConfigError, InternalError, SessionError};
use crate::identity::{provider, random_number};
use crate::rtp::DatagramKind;

/// Characters of a user name fragment: 16 of 62 are 95 bits (RFC 8445, section 5.3, asks for 24).
const UFRAG_CHARACTERS: usize = 16;

/// Characters of a password: 24 of 62 are 142 bits (RFC 8445, section 5.3, asks for 128).
const PASSWORD_CHARACTERS: usize = 24;

/// Connectivity checks that are kept for a connection; of a viewer that goes on, others follow.
pub(super) const MAX_EARLY_CHECKS: usize = 16;

/// Our end of the transport.
pub(super) struct LocalTransport {
    agent: IceAgent,
    number: u64,
    early: Vec<EarlyCheck>,
}

/// A connectivity check that came before the viewer's description.
pub(super) struct EarlyCheck {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

impl LocalTransport {
    /// With a host candidate for each address.
    pub(super) fn new(addresses: &[SocketAddr]) -> Result<Self, SessionError> {
        let credentials = IceCreds {
            ufrag: random_text(UFRAG_CHARACTERS).ok_or(InternalError::NotMade)?,
            pass: random_text(PASSWORD_CHARACTERS).ok_or(InternalError::NotMade)?,
        };
        let mut agent = IceAgent::with_hmac(credentials, provider().sha1_hmac_provider);
        for address in addresses {
            let candidate = Candidate::host(*address, Protocol::Udp)
                .map_err(|_| ConfigError::UnusableAddress(*address))?;
            agent.add_local_candidate(candidate);
        }
        let number = random_number().ok_or(InternalError::NotMade)?;
        Ok(Self {
            agent,
            // Others read it as a signed number of 64 bits (RFC 9429, section 5.2.1).
            number: number >> 1,
            early: Vec::new(),
        })
    }

    /// Has credentials of its own from now on, and the same candidates: ICE begins again (RFC 8445, section 9).
    pub(super) fn restart(&mut self) -> Result<(), SessionError> {
        let mut restarted = Self::new(&[])?;
        for candidate in self.agent.local_candidates() {
            restarted.agent.add_local_candidate(candidate);
        }
        *self = restarted;
        Ok(())
    }

    /// The number of the session in descriptions (RFC 8866, section 5.2).
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What the viewer's connectivity checks are signed with.
    pub(super) fn credentials(&self) -> &IceCreds {
        self.agent.local_credentials()
    }

    /// Our candidates, in the order in which they were added.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.agent.local_candidates()
    }

    /// Adds a candidate and returns its text, if it was not known.
    pub(super) fn add(&mut self, candidate: Candidate) -> Option<String> {
        let added = self.agent.add_local_candidate(candidate);
        added.map(Candidate::to_sdp_string)
    }

    /// Whether a datagram is a connectivity check for us: it is signed with our password.
    pub(super) fn accepts(&self, datagram: &[u8]) -> bool {
        let is_stun = DatagramKind::of(datagram) == DatagramKind::Stun;
        let message = is_stun.then(|| StunMessage::parse(datagram));
        message.is_some_and(|message| message.is_ok_and(|it| self.agent.accepts_message(&it)))
    }

    /// Keeps a check of those that are accepted, while there is room.
    pub(super) fn keep(&mut self, check: EarlyCheck) {
        if self.early.len() < MAX_EARLY_CHECKS {
            self.early.push(check);
        }
    }

    /// What was kept.
    pub(super) fn take_early(&mut self) -> Vec<EarlyCheck> {
        std::mem::take(&mut self.early)
    }
}

/// Letters and digits that nobody can guess; none if the system has no randomness.
fn random_text(length: usize) -> Option<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 32];
        rand_bytes(&mut bytes).ok()?;
        // So that each letter is as likely, bytes beyond a multiple of their number are passed over.
        let letters = bytes.iter().filter_map(|byte| {
            let usable = usize::from(*byte) < 256 / LETTERS.len() * LETTERS.len();
            usable.then(|| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
        });
        let missing = length - text.len();
        text.extend(letters.take(missing));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_long_and_never_the_same() {
        let [first, second] = [(); 2].map(|()| LocalTransport::new(&[]).expect("one"));
        let (first, second) = (first.credentials(), second.credentials());
        assert_eq!((first.ufrag.len(), first.pass.len()), (16, 24));
        assert!(first.pass.chars().all(|it| it.is_ascii_alphanumeric()));
        assert!(first.ufrag != second.ufrag && first.pass != second.pass);
    }

    #[test]
    fn checks_beyond_the_limit_are_not_kept() {
        let mut transport = LocalTransport::new(&[]).expect("one");
        let address = SocketAddr::from(([192, 0, 2, 1], 9));
        for _ in 0..2 * MAX_EARLY_CHECKS {
            transport.keep(EarlyCheck {
                source: address,
                destination: address,
                datagram: vec![0; 100],
            });
        }
        assert_eq!(transport.take_early().len(), MAX_EARLY_CHECKS);
        assert!(transport.take_early().is_empty());
    }
}
