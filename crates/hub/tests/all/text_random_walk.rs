//! Random walks: whatever peers of the text protocol do, what they were told stays true.
//!
//! The model keeps only what peers can know: each believes the texts that it received, and offers to those
//! whom it finds in a room, as the convention wants it. After every step the beliefs must agree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wigwag_hub::Payer;
use wigwag_hub::text::{ConnectionId, Hub, Policy, Violation};

use crate::text_collected::{Sent, disconnect, try_send};

/// Few, so that they are taken, and taken again by others.
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const ROOMS: [&str; 2] = ["r", "s"];

#[derive(Clone, Debug)]
enum Action {
    Connect(Index),
    Disconnect(Index),
    Call(Index, Index),
    Enter(Index, Index),
    Say(Index, Index),
    List(Index),
    Babble(Index),
}

fn action() -> impl Strategy<Value = Action> {
    let any = any::<Index>;
    prop_oneof![
        6 => any().prop_map(Action::Connect),
        2 => any().prop_map(Action::Disconnect),
        1 => (any(), any()).prop_map(|(from, to)| Action::Call(from, to)),
        6 => (any(), any()).prop_map(|(peer, room)| Action::Enter(peer, room)),
        2 => (any(), any()).prop_map(|(from, to)| Action::Say(from, to)),
        2 => any().prop_map(Action::List),
        1 => any().prop_map(Action::Babble),
    ]
}

/// What one registered peer believes.
#[derive(Default)]
struct Beliefs {
    id: String,
    /// The room that it is in, and who else is.
    room: Option<(String, BTreeSet<String>)>,
    /// Those in the room who offered to it.
    offered_by: BTreeSet<String>,
    /// Those whom it found in the room.
    found: BTreeSet<String>,
    /// The other member of its session. Of who was called, not believed but known by us.
    partner: Option<ConnectionId>,
}

struct World {
    hub: Hub,
    peers: BTreeMap<ConnectionId, Beliefs>,
}

impl World {
    fn peer(&self, index: Index) -> Option<ConnectionId> {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        (!peers.is_empty()).then(|| *index.get(&peers))
    }

    fn by_id(&self, id: &str) -> Option<ConnectionId> {
        let mut peers = self.peers.iter();
        peers
            .find(|(_, beliefs)| beliefs.id == id)
            .map(|(peer, _)| *peer)
    }

    fn connect(&mut self, id: &str) {
        let connection = self.hub.connect(Payer::NOBODY).expect("there is room");
        let answer = try_send(&mut self.hub, connection, &format!("HELLO {id}"));
        if self.by_id(id).is_some() {
            assert_eq!(answer, Err(Violation::InvalidPeerId));
            assert_eq!(disconnect(&mut self.hub, connection), []);
            return;
        }
        let hello = Sent::Text("HELLO".to_owned());
        assert_eq!(answer, Ok(vec![(connection, hello)]));
        let beliefs = Beliefs {
            id: id.to_owned(),
            ..Beliefs::default()
        };
        self.peers.insert(connection, beliefs);
    }

    fn disconnect(&mut self, gone: ConnectionId) {
        let beliefs = self.peers.remove(&gone).expect("is connected");
        let sent = disconnect(&mut self.hub, gone);
        if let Some(partner) = beliefs.partner
            && partner != gone
        {
            assert_eq!(sent, [(partner, Sent::Closed)]);
            self.peers.remove(&partner).expect("both were there");
            // Its owner finds out, and says so.
            assert_eq!(disconnect(&mut self.hub, partner), []);
            return;
        }
        self.deliver(gone, sent);
    }

    fn send(&mut self, from: ConnectionId, text: &str) {
        let sent = try_send(&mut self.hub, from, text).expect("within the limits");
        if let Some(partner) = self.peers[&from].partner {
            assert_eq!(sent, [(partner, Sent::Relayed)], "nothing is a command");
            return;
        }
        self.deliver(from, sent);
    }

    fn deliver(&mut self, from: ConnectionId, sent: Vec<(ConnectionId, Sent)>) {
        let mut offers = Vec::new();
        for (to, sent) in sent {
            let Sent::Text(text) = sent else {
                panic!("{sent:?} outside of a session");
            };
            let beliefs = self
                .peers
                .get_mut(&to)
                .expect("only the connected are told");
            assert_eq!(
                beliefs.partner, None,
                "a member of a session is told nothing"
            );
            let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
            let listed: BTreeSet<_> = rest.split_whitespace().map(str::to_owned).collect();
            match (word, &mut beliefs.room) {
                ("ROOM_OK", room) => {
                    assert_eq!(to, from, "only who enters is welcomed");
                    let (_, others) = room.as_mut().expect("it wanted to enter");
                    assert!(others.is_empty(), "nobody joined before it did");
                    assert!(!listed.contains(&beliefs.id), "a list holds others");
                    others.clone_from(&listed);
                    beliefs.found.clone_from(&listed);
                    offers.extend(listed);
                }
                ("ROOM_PEER_JOINED", Some((_, others))) => {
                    assert_ne!(rest, beliefs.id);
                    assert!(others.insert(rest.to_owned()), "joining is told once");
                }
                ("ROOM_PEER_LEFT", Some((_, others))) => {
                    assert!(others.remove(rest), "leaving is told once");
                    beliefs.offered_by.remove(rest);
                    beliefs.found.remove(rest);
                }
                ("ROOM_PEER_LIST", Some((_, others))) => {
                    assert_eq!(to, from);
                    assert_eq!(listed, *others, "a list is what is known already");
                }
                ("ROOM_PEER_MSG", Some((_, others))) => {
                    let (sender, said) = rest.split_once(' ').expect("a sender and a text");
                    assert!(others.contains(sender) || sender == beliefs.id);
                    if said == "offer" {
                        assert!(beliefs.offered_by.insert(sender.to_owned()), "offered once");
                    }
                }
                ("ERROR", _) => assert_eq!(to, from, "an error is for who caused it"),
                _ => panic!("{text:?} at a wrong time"),
            }
        }
        for other in offers {
            self.send(from, &format!("ROOM_PEER_MSG {other} offer"));
        }
    }

    fn check(&self) {
        assert_eq!(self.hub.peer_count(), self.peers.len());
        let mut rooms: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for beliefs in self.peers.values() {
            if let Some((room, _)) = &beliefs.room {
                rooms.entry(room).or_default().insert(&beliefs.id);
            }
        }
        assert_eq!(self.hub.room_count(), rooms.len(), "no room is left over");
        for beliefs in self.peers.values() {
            let Some((room, others)) = &beliefs.room else {
                continue;
            };
            let mut known: BTreeSet<_> = others.iter().map(String::as_str).collect();
            assert!(known.insert(&beliefs.id), "nobody is told of itself");
            assert_eq!(known, rooms[room.as_str()], "a member knows all, no ghost");
            // Of each two members one offered: the one that found the other there.
            let both: BTreeSet<_> = beliefs.offered_by.intersection(&beliefs.found).collect();
            assert!(
                both.is_empty(),
                "{both:?} and this one offered to each other"
            );
            let either = beliefs.offered_by.len() + beliefs.found.len();
            assert_eq!(either, others.len());
        }
    }

    fn step(&mut self, action: &Action) {
        match action {
            Action::Connect(id) => self.connect(id.get::<&str>(&IDS)),
            Action::Disconnect(peer) => {
                if let Some(peer) = self.peer(*peer) {
                    self.disconnect(peer);
                }
            }
            Action::Call(from, to) => {
                if let Some(from) = self.peer(*from) {
                    self.call(from, to.get::<&str>(&IDS));
                }
            }
            Action::Enter(peer, room) => {
                if let Some(peer) = self.peer(*peer) {
                    let room = *room.get(&ROOMS);
                    let beliefs = self.peers.get_mut(&peer).expect("is connected");
                    if beliefs.partner.is_none() && beliefs.room.is_none() {
                        beliefs.room = Some((room.to_owned(), BTreeSet::new()));
                    }
                    self.send(peer, &format!("ROOM {room}"));
                }
            }
            Action::Say(from, to) => {
                if let Some(from) = self.peer(*from) {
                    self.send(from, &format!("ROOM_PEER_MSG {} hi", to.get(&IDS)));
                }
            }
            Action::List(peer) => {
                if let Some(peer) = self.peer(*peer) {
                    self.send(peer, "ROOM_PEER_LIST");
                }
            }
            Action::Babble(peer) => {
                if let Some(peer) = self.peer(*peer) {
                    self.send(peer, "WHATEVER");
                }
            }
        }
    }

    fn call(&mut self, from: ConnectionId, to: &str) {
        let idle = |beliefs: &Beliefs| beliefs.partner.is_none() && beliefs.room.is_none();
        let called = self.by_id(to);
        let may =
            idle(&self.peers[&from]) && called.is_some_and(|called| idle(&self.peers[&called]));
        let (Some(called), true) = (called, may) else {
            self.send(from, &format!("SESSION {to}"));
            return;
        };
        let sent = try_send(&mut self.hub, from, &format!("SESSION {to}"));
        let ok = Sent::Text("SESSION_OK".to_owned());
        assert_eq!(sent, Ok(vec![(from, ok)]), "the called one is told nothing");
        for (peer, partner) in [(from, called), (called, from)] {
            let beliefs = self.peers.get_mut(&peer).expect("is connected");
            beliefs.partner = Some(partner);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_peers_were_told_stays_true(actions in vec(action(), 1..120)) {
        let mut world = World {
            hub: Hub::new(Policy::default()),
            peers: BTreeMap::new(),
        };
        for action in actions {
            world.step(&action);
            world.check();
        }
        while let Some(peer) = world.peers.keys().next().copied() {
            world.disconnect(peer);
            world.check();
        }
        prop_assert_eq!(world.hub.room_count(), 0);
    }
}
