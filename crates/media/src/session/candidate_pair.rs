//! The path that a session goes by.

use std::net::SocketAddr;
use std::time::Duration;

use str0m::stats::CandidatePairStats;
use str0m::{Candidate, CandidateKind as Kind};

use super::description::Description;

/// How many candidates of a viewer are remembered; browsers have a handful.
const MAX_REMEMBERED: usize = 32;

/// The pair of addresses that datagrams go between: `RTCIceCandidatePairStats` of W3C's WebRTC statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidatePair {
    /// The socket of ours. Its kind is that of the socket: behind a NAT it is still a host candidate.
    pub local: PathEnd,
    /// The viewer's.
    pub remote: PathEnd,
    /// What the last connectivity check took to the viewer and back (`currentRoundTripTime`).
    pub round_trip: Option<Duration>,
    /// What all of them took together (`totalRoundTripTime`).
    pub total_round_trip: Duration,
    /// Answers to connectivity checks (`responsesReceived`).
    pub responses_received: u64,
}

/// One end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathEnd {
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
    /// An address as the other side saw it; nobody told of it.
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

/// The candidates that a viewer told of.
#[derive(Debug, Default)]
pub(super) struct RemoteCandidates(Vec<PathEnd>);

impl RemoteCandidates {
    /// Remembers a candidate; those that are one too many are forgotten, and seem to be peer-reflexive.
    pub(super) fn remember(&mut self, candidate: &Candidate) {
        let told = PathEnd {
            address: candidate.addr(),
            kind: candidate.kind().into(),
        };
        if self.0.len() < MAX_REMEMBERED && !self.0.contains(&told) {
            self.0.push(told);
        }
    }

    /// Remembers those of a description.
    pub(super) fn remember_all(&mut self, description: &Description) {
        let sections = description.sections.iter();
        let told = sections.flat_map(|section| section.values("candidate"));
        for candidate in told.take(MAX_REMEMBERED) {
            if let Ok(candidate) = Candidate::from_sdp_string(&format!("candidate:{candidate}")) {
                self.remember(&candidate);
            }
        }
    }

    /// Names the ends of a pair that the library chose.
    pub(super) fn describe(&self, pair: &CandidatePairStats) -> CandidatePair {
        CandidatePair {
            local: PathEnd {
                address: pair.local.addr,
                kind: CandidateKind::Host,
            },
            remote: self.find(pair.remote.addr),
            round_trip: pair.current_round_trip_time,
            total_round_trip: pair.total_round_trip_time,
            responses_received: pair.responses_received,
        }
    }

    fn find(&self, address: SocketAddr) -> PathEnd {
        let told = self.0.iter().find(|told| told.address == address);
        let unheard = PathEnd {
            address,
            kind: CandidateKind::PeerReflexive,
        };
        told.copied().unwrap_or(unheard)
    }
}

#[cfg(test)]
mod tests {
    use str0m::net::Protocol;

    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn what_was_told_of_is_named_and_the_rest_is_peer_reflexive() {
        let mut candidates = RemoteCandidates::default();
        let host = Candidate::host(address(1), Protocol::Udp).expect("a candidate");
        let reflexive = Candidate::server_reflexive(address(2), address(1), Protocol::Udp);
        candidates.remember(&host);
        candidates.remember(&host);
        candidates.remember(&reflexive.expect("a candidate"));
        let kind = |port| candidates.find(address(port)).kind.as_str();
        assert_eq!([1, 2, 3].map(kind), ["host", "srflx", "prflx"]);
        assert_eq!(candidates.0.len(), 2);
    }

    #[test]
    fn a_viewer_with_too_many_fills_no_memory() {
        let mut candidates = RemoteCandidates::default();
        for port in 1..=1_000 {
            let host = Candidate::host(address(port), Protocol::Udp).expect("a candidate");
            candidates.remember(&host);
        }
        assert_eq!(candidates.0.len(), MAX_REMEMBERED);
        let last = candidates.find(address(1_000));
        assert_eq!(last.kind, CandidateKind::PeerReflexive);
    }
}
