//! Who is connected.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::PeerView;
use wigwag_hub::text::{Activity, ConnectionId, ConnectionView};
use wigwag_protocol::json::{Meta, ProtocolVersion, Roles};

use super::paging::{Mark, Paging, cut, numeral};
use super::problem::Problem;
use super::reason;
use super::{Admin, done, json, moment};
use crate::close_reason::CloseReason;
use crate::metrics::Protocol;
use crate::outbound::Outbound;

/// A longer meta is not in a list, only with its peer: a page stays small, whatever peers say.
const MAX_LISTED_META_BYTES: usize = 4096;

#[derive(Serialize)]
struct Page {
    peers: Vec<Peer>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Peer {
    id: String,
    protocol: &'static str,
    protocol_version: Option<&'static str>,
    name: Option<String>,
    roles: Roles,
    meta: Option<Meta>,
    meta_bytes: usize,
    address: Option<String>,
    connected_at: String,
    sessions: usize,
    room: Option<String>,
    queued_messages: usize,
    queued_bytes: usize,
}

/// The prefix of the ids that connections of the text protocol have here: those that they chose may be anything, and
/// may be none yet.
const TEXT_ID: &str = "text-";

pub(super) fn text_id(connection: ConnectionId) -> String {
    format!("{TEXT_ID}{}", connection.number())
}

pub(super) fn connection_of(id: &str) -> Option<ConnectionId> {
    id.strip_prefix(TEXT_ID).and_then(numeral).map(Into::into)
}

pub(super) async fn list(State(admin): State<Arc<Admin>>, uri: Uri) -> Result<Response, Problem> {
    let paging = Paging::read(&uri)?;
    let mark = paging.mark()?;
    // One more than asked for tells whether there is another page.
    let wanted = paging.limit + 1;
    let mut peers = Vec::new();
    if !matches!(mark, Some(Mark::Text(_))) {
        let after = mark.map(Mark::number);
        let seen = admin.shared.switchboard.look(|hub, queues| {
            let found = hub.peers_after(after).take(wanted);
            let seen = found.map(|view| (queues.get(&view.id), view));
            seen.collect::<Vec<_>>()
        });
        peers.extend(seen.into_iter().filter_map(|(queue, view)| {
            let mark = Mark::Json(view.number);
            let queue = queue?;
            Some((mark, of_json_protocol(view, &queue).shortened()))
        }));
    }
    let wanted = wanted - peers.len();
    if wanted > 0 {
        let after = match mark {
            Some(Mark::Text(number)) => Some(number.into()),
            _ => None,
        };
        let seen = admin.shared.text_switchboard.look(|hub, queues| {
            let found = hub.connections_after(after).take(wanted);
            let seen = found.map(|view| (queues.get(&view.connection).cloned(), view));
            seen.collect::<Vec<_>>()
        });
        peers.extend(seen.into_iter().filter_map(|(queue, view)| {
            let mark = Mark::Text(view.connection.number());
            let queue = queue?;
            Some((mark, of_text_protocol(view, &queue)))
        }));
    }
    let (peers, next) = cut(peers, paging.limit);
    Ok(json(&Page { peers, next }))
}

pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    let peer = match connection_of(&id) {
        Some(connection) => admin
            .shared
            .text_switchboard
            .look(|hub, queues| {
                Some((
                    hub.connection(connection)?,
                    Arc::clone(queues.get(&connection)?),
                ))
            })
            .map(|(view, queue)| of_text_protocol(view, &queue)),
        None => admin
            .shared
            .switchboard
            .look(|hub, queues| {
                let view = hub.peer(&id)?;
                let queue = queues.get(&view.id)?;
                Some((view, queue))
            })
            .map(|(view, queue)| of_json_protocol(view, &queue)),
    };
    Ok(json(&peer.ok_or_else(unknown)?))
}

pub(super) async fn remove(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    let reason = CloseReason::Removed(reason::read(request).await?.map(Into::into));
    let was_there = match connection_of(&id) {
        Some(connection) => admin.shared.text_switchboard.remove(connection, reason),
        None => admin.shared.switchboard.remove(&id, reason),
    };
    if !was_there {
        return Err(unknown());
    }
    tracing::info!(peer = id, "the operator removed a peer");
    Ok(done())
}

fn unknown() -> Problem {
    Problem::not_found("no such peer is connected")
}

fn of_json_protocol(view: PeerView, queue: &Outbound) -> Peer {
    let queued = queue.waiting();
    Peer {
        id: view.id.to_string(),
        protocol: Protocol::Json.name(),
        protocol_version: Some(if view.version >= ProtocolVersion::V1_1 {
            "1.1"
        } else {
            "1.0"
        }),
        name: None,
        roles: view.roles,
        meta_bytes: view.meta.as_ref().map_or(0, |meta| meta.as_json().len()),
        meta: view.meta,
        address: queue.address().map(|address| address.to_string()),
        connected_at: moment(queue.since()),
        sessions: view.sessions,
        room: None,
        queued_messages: queued.messages,
        queued_bytes: queued.bytes,
    }
}

fn of_text_protocol(view: ConnectionView, queue: &Outbound) -> Peer {
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

impl Peer {
    fn shortened(mut self) -> Self {
        if self.meta_bytes > MAX_LISTED_META_BYTES {
            self.meta = None;
        }
        self
    }
}
