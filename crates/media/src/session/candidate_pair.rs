//! The path that a session goes by.

use std::net::SocketAddr;
use std::time::Duration;

use str0m::net::Protocol;
use str0m::stats::CandidatePairStats;
use str0m::{Candidate, CandidateKind as Kind};

/// The most candidates of a viewer that are used, those of its description and those that come after it. Browsers have a handful;
/// each is an address that we send connectivity checks to because a viewer says so.
pub const MAX_CANDIDATES: usize = 16;

/// The pair of addresses that datagrams go between: `RTCIceCandidatePairStats` of W3C's WebRTC statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidatePair {
    /// The socket of ours. Its kind is that of the socket: behind a NAT it is still a host candidate.
    pub local: CandidateAddress,
    /// The viewer's.
    pub remote: CandidateAddress,
    /// What the last connectivity check took to the viewer and back (`currentRoundTripTime`).
    pub round_trip: Option<Duration>,
    /// What all of them took together (`totalRoundTripTime`).
    pub total_round_trip: Duration,
    /// Answers to connectivity checks (`responsesReceived`).
    pub responses_received: u64,
}

/// One end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidateAddress {
    /// Its address. All are UDP.
    pub address: SocketAddr,
    /// How it was found.
    pub kind: CandidateKind,
}

/// How an address was found (RFC 8445, section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateKind {
    /// An address of the host itself.
    Host,
    /// An address as a STUN server saw it.
    ServerReflexive,
    /// An address as the other side saw it; nobody named it.
    PeerReflexive,
    /// An address at a TURN server.
    Relayed,
}

impl CandidateKind {
    /// As in candidates and in statistics (`RTCIceCandidateType`): `host`, `srflx`, `prflx` or `relay`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

impl From<Kind> for CandidateKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Host => Self::Host,
            Kind::ServerReflexive => Self::ServerReflexive,
            Kind::PeerReflexive => Self::PeerReflexive,
            Kind::Relayed => Self::Relayed,
        }
    }
}

/// The candidates that a viewer named.
#[derive(Debug, Default)]
pub(super) struct RemoteCandidates(Vec<CandidateAddress>);

/// What becomes of a candidate.
#[derive(Debug)]
pub(super) enum Read {
    /// It is used.
    Used(Candidate),
    /// It is one too many.
    TooMany,
    /// It cannot be read, is known already, or is none of UDP for the one component that there is.
    PassedOver,
}

impl RemoteCandidates {
    /// Reads a candidate (`candidate:…`), and remembers it if it is used.
    pub(super) fn read(&mut self, text: &str) -> Read {
        let Ok(candidate) = Candidate::from_sdp_string(text) else {
            return Read::PassedOver;
        };
        let named = CandidateAddress {
            address: candidate.addr(),
            kind: candidate.kind().into(),
        };
        // Media and reports share a component (RFC 8445, section 4.1.1.1, and RFC 5761).
        let is_first_component = text.split_ascii_whitespace().nth(1) == Some("1");
        if candidate.proto() != Protocol::Udp || !is_first_component || self.0.contains(&named) {
            return Read::PassedOver;
        }
        if self.0.len() >= MAX_CANDIDATES {
            return Read::TooMany;
        }
        self.0.push(named);
        Read::Used(candidate)
    }

    /// Names the ends of a pair that str0m chose.
    pub(super) fn describe(&self, pair: &CandidatePairStats) -> CandidatePair {
        CandidatePair {
            local: CandidateAddress {
                address: pair.local.addr,
                kind: CandidateKind::Host,
            },
            remote: self.find(pair.remote.addr),
            round_trip: pair.current_round_trip_time,
            total_round_trip: pair.total_round_trip_time,
            responses_received: pair.responses_received,
        }
    }

    fn find(&self, address: SocketAddr) -> CandidateAddress {
        let named = self.0.iter().find(|named| named.address == address);
        let unheard = CandidateAddress {
            address,
            kind: CandidateKind::PeerReflexive,
        };
        named.copied().unwrap_or(unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn text(port: u16, rest: &str) -> String {
        format!("candidate:{port} 1 UDP {port} 192.0.2.1 {port} typ {rest}")
    }

    #[test]
    fn what_was_named_is_known_and_the_rest_is_peer_reflexive() {
        let mut candidates = RemoteCandidates::default();
        let reflexive = "srflx raddr 192.0.2.1 rport 1";
        assert!(matches!(candidates.read(&text(1, "host")), Read::Used(_)));
        assert!(matches!(
            candidates.read(&text(1, "host")),
            Read::PassedOver
        ));
        assert!(matches!(
            candidates.read(&text(2, reflexive)),
            Read::Used(_)
        ));
        let kind = |port| candidates.find(address(port)).kind.as_str();
        assert_eq!([1, 2, 3].map(kind), ["host", "srflx", "prflx"]);
    }

    #[test]
    fn candidates_beyond_the_limit_are_not_used() {
        let mut candidates = RemoteCandidates::default();
        let read = |port| match candidates.read(&text(port, "host")) {
            Read::Used(_) => 1,
            Read::TooMany => 0,
            Read::PassedOver => panic!("it can be used"),
        };
        assert_eq!((1..=1_000).map(read).sum::<usize>(), MAX_CANDIDATES);
        let last = candidates.find(address(1_000));
        assert_eq!(last.kind, CandidateKind::PeerReflexive);
    }

    #[test]
    fn what_is_of_no_use_takes_no_place() {
        let mut candidates = RemoteCandidates::default();
        for text in [
            "",
            "candidate:1 1 UDP 1 name.local 9 typ host",
            "candidate:1 2 UDP 1 192.0.2.1 9 typ host",
            "candidate:1 1 TCP 1 192.0.2.1 9 typ host tcptype active",
        ] {
            assert!(matches!(candidates.read(text), Read::PassedOver), "{text}");
        }
        assert_eq!(candidates.0.len(), 0);
    }
}
