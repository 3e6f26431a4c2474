//! The peers and sessions of the text protocol.

use wigwag_hub::text::{Activity, ConnectionId, ConnectionView};
use wigwag_protocol::json::Roles;

use super::answer::moment;
use super::paging::{Mark, numeral};
use super::peer::Peer;
use super::session::Session;
use crate::metrics::Protocol;
use crate::outbound::Outbound;
use crate::state::ServerState;

/// The prefix of the ids that connections of the text protocol have here: those that they chose may be anything, and
/// may be none yet.
const TEXT_ID: &str = "text-";

/// Connections that are looked at for one page of sessions: a session has no entry of its own in the hub, and the
/// lock is held meanwhile.
const MAX_LOOKED_AT: usize = 8192;

pub(super) fn text_id(connection: ConnectionId) -> String {
    format!("{TEXT_ID}{}", connection.number())
}

/// The connection of an id, which may be gone; none for the id of a peer of the JSON protocol.
pub(super) fn connection_of(id: &str) -> Option<ConnectionId> {
    id.strip_prefix(TEXT_ID).and_then(numeral).map(Into::into)
}

/// At most `wanted` peers behind a mark.
pub(super) fn peers(state: &ServerState, mark: Option<Mark>, wanted: usize) -> Vec<(Mark, Peer)> {
    if wanted == 0 {
        return Vec::new();
    }
    let seen = state.text.look(|hub, queues| {
        let found = hub.hub().connections_after(after(mark)).take(wanted);
        let seen = found.map(|view| (queues.get(&view.connection).cloned(), view));
        seen.collect::<Vec<_>>()
    });
    let peers = seen.into_iter().filter_map(|(queue, view)| {
        let mark = Mark::Text(view.connection.number());
        Some((mark, peer_of(view, &*queue?)))
    });
    peers.collect()
}

pub(super) fn peer(state: &ServerState, connection: ConnectionId) -> Option<Peer> {
    let seen = state.text.look(|hub, queues| {
        let view = hub.hub().connection(connection)?;
        Some((view, queues.get(&connection)?.clone()))
    });
    seen.map(|(view, queue)| peer_of(view, &queue))
}

/// A part of the sessions.
pub(super) struct Sessions {
    pub(super) found: Vec<(Mark, Session)>,
    /// The connection that was looked at last, if others are left behind it.
    pub(super) unfinished: Option<Mark>,
}

/// At most `wanted` sessions behind a mark.
pub(super) fn sessions(state: &ServerState, mark: Option<Mark>, wanted: usize) -> Sessions {
    let mut found = Vec::new();
    let mut last = None;
    let mut unfinished = None;
    if wanted == 0 {
        return Sessions { found, unfinished };
    }
    state.text.look(|hub, _| {
        let connections = hub.hub().connections_after(after(mark));
        for (looked_at, view) in connections.enumerate() {
            if looked_at == MAX_LOOKED_AT {
                unfinished = last;
                break;
            }
            last = Some(Mark::Text(view.connection.number()));
            found.extend(session_of(&view));
            if found.len() == wanted {
                break;
            }
        }
    });
    Sessions { found, unfinished }
}

/// The session that a connection started.
pub(super) fn session(state: &ServerState, connection: ConnectionId) -> Option<Session> {
    let view = state.text.look(|hub, _| hub.hub().connection(connection))?;
    session_of(&view).map(|(_, session)| session)
}

fn after(mark: Option<Mark>) -> Option<ConnectionId> {
    match mark {
        Some(Mark::Text(number)) => Some(number.into()),
        _ => None,
    }
}

fn peer_of(view: ConnectionView, queue: &Outbound) -> Peer {
    let queued = queue.waiting();
    let (sessions, room) = match view.activity {
        Activity::None => (0, None),
        Activity::Session { .. } => (1, None),
        Activity::Room(name) => (0, Some(name.to_string())),
    };
    Peer {
        id: text_id(view.connection),
        protocol: Protocol::Text.name(),
        protocol_version: None,
        name: view.id.map(|id| id.to_string()),
        roles: Roles::NONE,
        meta: None,
        meta_bytes: 0,
        address: queue.address().map(|address| address.to_string()),
        connected_at: moment(queue.since()),
        sessions,
        room,
        queued_messages: queued.messages,
        queued_bytes: queued.bytes,
    }
}

/// The session that a connection started: it has the id of that connection.
fn session_of(view: &ConnectionView) -> Option<(Mark, Session)> {
    let Activity::Session {
        partner,
        called: true,
    } = view.activity
    else {
        return None;
    };
    let session = Session {
        id: text_id(view.connection),
        protocol: Protocol::Text.name(),
        caller: text_id(view.connection),
        callee: text_id(partner),
        producer: None,
    };
    Some((Mark::Text(view.connection.number()), session))
}
