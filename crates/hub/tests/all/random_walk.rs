//! Random walks: whatever peers do, what they were told stays true.
//!
//! The model keeps only what peers can know: each peer believes the messages it received and
//! remembers what it did. After every step the beliefs must agree with each other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wigwag_hub::json::{
    ClientMessage, PeerId, PeerMessage, PeerMessageBody, PeerStatus, ProtocolVersion, Role, Roles,
    ServerMessage, SessionDescription, SessionId,
};
use wigwag_hub::{Hub, Payer, Policy};

use crate::collected;
use crate::collected::Collected;

#[derive(Clone, Debug)]
enum Action {
    Connect,
    Disconnect(Index),
    Status(Index, Vec<Role>, u8),
    Call(Index, Index),
    Offer(Index, Index),
    Answer(Index, Index),
    End(Index, Index),
    EndBecause(Index, Index),
    ChooseVersion(Index),
    List(Index),
}

fn action() -> impl Strategy<Value = Action> {
    let peer = any::<Index>;
    let session = any::<Index>;
    let role = prop_oneof![
        Just(Role::Producer),
        Just(Role::Listener),
        Just(Role::Consumer)
    ];
    prop_oneof![
        3 => Just(Action::Connect),
        1 => peer().prop_map(Action::Disconnect),
        4 => (peer(), vec(role, 0..3), 0..3u8).prop_map(|(p, r, m)| Action::Status(p, r, m)),
        4 => (peer(), peer()).prop_map(|(from, to)| Action::Call(from, to)),
        1 => (peer(), session()).prop_map(|(p, s)| Action::Offer(p, s)),
        1 => (peer(), session()).prop_map(|(p, s)| Action::Answer(p, s)),
        2 => (peer(), session()).prop_map(|(p, s)| Action::End(p, s)),
        1 => (peer(), session()).prop_map(|(p, s)| Action::EndBecause(p, s)),
        1 => peer().prop_map(Action::ChooseVersion),
        1 => peer().prop_map(Action::List),
    ]
}

/// What one peer believes.
#[derive(Default)]
struct Beliefs {
    /// Sessions it is in, with the partner that it was told.
    sessions: BTreeMap<SessionId, PeerId>,
    /// Producers that it knows of, kept only while it is a listener.
    producers: Option<BTreeSet<PeerId>>,
    version: ProtocolVersion,
    spoke: bool,
}

struct World {
    hub: Hub,
    peers: BTreeMap<PeerId, Beliefs>,
    ever: Vec<SessionId>,
}

impl World {
    fn new() -> Self {
        Self {
            hub: collected::hub(Policy::default()),
            peers: BTreeMap::new(),
            ever: Vec::new(),
        }
    }

    fn peer(&self, index: Index) -> Option<PeerId> {
        (!self.peers.is_empty()).then(|| {
            index
                .get(&self.peers.keys().collect::<Vec<_>>())
                .to_owned()
                .clone()
        })
    }

    fn session(&self, index: Index) -> Option<SessionId> {
        (!self.ever.is_empty()).then(|| index.get(&self.ever).clone())
    }

    fn send(&mut self, from: &PeerId, message: ClientMessage) {
        if let Some(beliefs) = self.peers.get_mut(from) {
            if let ClientMessage::SetProtocolVersion { version } = message
                && !beliefs.spoke
            {
                beliefs.version = version;
            }
            beliefs.spoke = true;
        }
        let ended = match &message {
            ClientMessage::EndSession { session_id }
            | ClientMessage::EndSessionV1_1 { session_id, .. } => Some(session_id.clone()),
            _ => None,
        };
        let mut out = Collected::default();
        self.hub
            .handle(from, message, &mut out)
            .expect("within the limits");
        // Who ends a session of its own knows it; a session with itself it is told of.
        if let (Some(session), Some(beliefs)) = (ended, self.peers.get_mut(from))
            && beliefs
                .sessions
                .get(&session)
                .is_some_and(|partner| partner != from)
        {
            beliefs.sessions.remove(&session);
        }
        self.deliver(out);
    }

    fn set_status(&mut self, from: &PeerId, roles: Roles, meta: u8) {
        self.peers.get_mut(from).expect("is connected").spoke = true;
        let meta = serde_json::json!({ "n": meta });
        let status = PeerStatus {
            roles,
            meta: (&meta).try_into().ok(),
            peer_id: None,
        };
        let mut out = Collected::default();
        self.hub
            .handle(from, ClientMessage::SetPeerStatus(status), &mut out)
            .expect("within the limits");
        let refused = roles.contains(Role::Producer) && roles.contains(Role::Consumer);
        if refused {
            return;
        }
        // What a peer knows of its own accord: which sessions it dropped by dropping a role. It finds
        // out by the others' beliefs here, since they are told in the same step.
        let told: BTreeSet<_> = ended_sessions(&out).collect();
        let beliefs = self.peers.get_mut(from).expect("is connected");
        beliefs
            .sessions
            .retain(|session, partner| partner == from || !told.contains(session));
        if !roles.contains(Role::Listener) {
            beliefs.producers = None;
        } else if beliefs.producers.is_none() {
            // A new listener gets no snapshot; it asks.
            beliefs.producers = Some(BTreeSet::new());
            self.deliver(out);
            self.send(from, ClientMessage::List);
            return;
        }
        self.deliver(out);
    }

    fn disconnect(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
        let mut out = Collected::default();
        self.hub.disconnect(peer, &mut out);
        self.deliver(out);
    }

    fn deliver(&mut self, out: Collected) {
        for (to, message) in out.0 {
            let beliefs = self
                .peers
                .get_mut(&to)
                .expect("only the connected are told");
            match message {
                ServerMessage::SessionStarted {
                    peer_id,
                    session_id,
                } => {
                    let before = beliefs.sessions.insert(session_id.clone(), peer_id);
                    assert!(before.is_none(), "a session starts once");
                    self.ever.push(session_id);
                }
                ServerMessage::StartSession {
                    peer_id,
                    session_id,
                    ..
                } => {
                    let before = beliefs.sessions.insert(session_id, peer_id);
                    assert!(
                        before.is_none_or(|partner| partner == to),
                        "a session starts once"
                    );
                }
                ServerMessage::EndSession { session_id } => {
                    assert_eq!(beliefs.version, ProtocolVersion::V1_0);
                    assert!(
                        beliefs.sessions.remove(&session_id).is_some(),
                        "an end is told once"
                    );
                }
                ServerMessage::EndSessionV1_1 { session_id, .. } => {
                    assert_eq!(beliefs.version, ProtocolVersion::V1_1);
                    assert!(
                        beliefs.sessions.remove(&session_id).is_some(),
                        "an end is told once"
                    );
                }
                ServerMessage::Peer(message) => {
                    assert!(
                        beliefs.sessions.contains_key(&message.session_id),
                        "nothing is forwarded but to members of a running session"
                    );
                }
                ServerMessage::PeerStatusChanged(change) => {
                    let producers = beliefs.producers.as_mut().expect("only listeners are told");
                    if change.roles.contains(Role::Producer) {
                        producers.insert(change.peer_id);
                    } else {
                        producers.remove(&change.peer_id);
                    }
                }
                ServerMessage::List { producers } => {
                    if let Some(known) = &mut beliefs.producers {
                        *known = producers.into_iter().map(|producer| producer.id).collect();
                    }
                }
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        let mut members: BTreeMap<&SessionId, usize> = BTreeMap::new();
        for (id, beliefs) in &self.peers {
            for (session, partner) in &beliefs.sessions {
                let partner = self.peers.get(partner).expect("the other end is connected");
                assert!(
                    partner.sessions.get(session).is_some_and(|back| back == id),
                    "both ends know of a session, or none"
                );
                *members.entry(session).or_default() += 1;
            }
        }
        assert_eq!(
            members.len(),
            self.hub.session_count(),
            "no session is left over"
        );
        assert_eq!(self.peers.len(), self.hub.peer_count());

        let Some(asking) = self.peers.keys().next().cloned() else {
            return;
        };
        self.peers.get_mut(&asking).expect("is connected").spoke = true;
        let mut out = Collected::default();
        self.hub
            .handle(&asking, ClientMessage::List, &mut out)
            .expect("within the limits");
        let [(_, ServerMessage::List { producers })] = &out.0[..] else {
            panic!("no list but {:?}", out.0)
        };
        let real: BTreeSet<_> = producers
            .iter()
            .map(|producer| producer.id.clone())
            .collect();
        for beliefs in self.peers.values() {
            if let Some(known) = &beliefs.producers {
                assert_eq!(*known, real, "a listener knows all producers, and no ghost");
            }
        }
        self.hub
            .handle(&asking, ClientMessage::ListConsumers, &mut out)
            .expect("within the limits");
        let written: Vec<_> = out.0.iter().map(|(_, list)| list.to_json()).collect();
        assert_eq!(out.1, written, "the slices of a list are what it says");
    }

    fn step(&mut self, action: Action) {
        match action {
            Action::Connect => {
                let id = self.hub.connect(Payer::NOBODY).expect("there is room");
                self.peers.insert(id, Beliefs::default());
            }
            Action::Disconnect(peer) => {
                if let Some(peer) = self.peer(peer) {
                    self.disconnect(&peer);
                }
            }
            Action::Status(peer, roles, meta) => {
                if let Some(peer) = self.peer(peer) {
                    self.set_status(&peer, roles.into_iter().collect(), meta);
                }
            }
            Action::Call(from, to) => {
                if let (Some(from), Some(peer_id)) = (self.peer(from), self.peer(to)) {
                    let offer = None;
                    self.send(&from, ClientMessage::StartSession { peer_id, offer });
                }
            }
            Action::Offer(peer, session) => {
                self.describe(peer, session, |sdp| SessionDescription::Offer { sdp });
            }
            Action::Answer(peer, session) => {
                self.describe(peer, session, |sdp| SessionDescription::Answer { sdp });
            }
            Action::End(peer, session) => {
                if let (Some(peer), Some(session_id)) = (self.peer(peer), self.session(session)) {
                    self.send(&peer, ClientMessage::EndSession { session_id });
                }
            }
            Action::EndBecause(peer, session) => {
                if let (Some(peer), Some(session_id)) = (self.peer(peer), self.session(session)) {
                    let error = Some("because".to_owned());
                    self.send(&peer, ClientMessage::EndSessionV1_1 { session_id, error });
                }
            }
            Action::ChooseVersion(peer) => {
                if let Some(peer) = self.peer(peer) {
                    let version = ProtocolVersion::V1_1;
                    self.send(&peer, ClientMessage::SetProtocolVersion { version });
                }
            }
            Action::List(peer) => {
                if let Some(peer) = self.peer(peer) {
                    self.send(&peer, ClientMessage::List);
                }
            }
        }
    }

    fn describe(
        &mut self,
        peer: Index,
        session: Index,
        description: impl Fn(String) -> SessionDescription,
    ) {
        if let (Some(peer), Some(session_id)) = (self.peer(peer), self.session(session)) {
            let body = PeerMessageBody::Sdp(description("v=0".to_owned()));
            self.send(&peer, ClientMessage::Peer(PeerMessage { session_id, body }));
        }
    }
}

fn ended_sessions(out: &Collected) -> impl Iterator<Item = SessionId> + '_ {
    out.0.iter().filter_map(|(_, message)| match message {
        ServerMessage::EndSession { session_id }
        | ServerMessage::EndSessionV1_1 { session_id, .. } => Some(session_id.clone()),
        _ => None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_peers_were_told_stays_true(actions in vec(action(), 1..120)) {
        let mut world = World::new();
        for action in actions {
            world.step(action);
            world.check();
        }
        let everyone: Vec<_> = world.peers.keys().cloned().collect();
        for peer in everyone {
            world.disconnect(&peer);
            world.check();
        }
        prop_assert_eq!(world.hub.session_count(), 0);
        prop_assert_eq!(world.hub.producer_count(), 0);
    }
}
