//! The connected peers.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::PeerView;
use wigwag_protocol::json::ProtocolVersion;

use super::answer::{json, moment, no_content};
use super::operator::Operator;
use super::paging::{Mark, Paging, cut};
use super::peer::Peer;
use super::problem::Problem;
use super::reason::Reason;
#[cfg(feature = "text")]
use super::text_peers;
use crate::close_reason::CloseReason;
use crate::metrics::Protocol;
use crate::outbound::Outbound;
use crate::state::ServerState;

/// A longer meta is not in a list, only with its peer: a page stays small, whatever the metas of peers are.
const MAX_LISTED_META_BYTES: usize = 4096;

#[derive(Serialize)]
struct Page {
    peers: Vec<Peer>,
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<ServerState>,
    paging: Paging,
) -> Result<Response, Problem> {
    let mark = paging.mark()?;
    // One more than asked for shows whether there is another page.
    let wanted = paging.limit + 1;
    let mut peers = Vec::new();
    if !matches!(mark, Some(Mark::Text(_))) {
        let after = mark.map(Mark::number);
        let seen = state.json.look(|hub, queues| {
            let found = hub.hub().peers_after(after).take(wanted);
            let seen = found.map(|view| (queues.get(&view.id).cloned(), view));
            seen.collect::<Vec<_>>()
        });
        peers.extend(seen.into_iter().filter_map(|(queue, view)| {
            let mark = Mark::Json(view.number);
            Some((mark, shortened(peer(view, &*queue?))))
        }));
    }
    #[cfg(feature = "text")]
    peers.extend(text_peers::peers(&state, mark, wanted - peers.len()));
    let (peers, next) = cut(peers, paging.limit);
    Ok(json(&Page { peers, next }))
}

pub(super) async fn one(
    State(state): State<ServerState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    #[cfg(feature = "text")]
    if let Some(connection) = text_peers::connection_of(&id) {
        let peer = text_peers::peer(&state, connection);
        return Ok(json(&peer.ok_or_else(unknown)?));
    }
    let seen = state.json.look(|hub, queues| {
        let view = hub.hub().peer(&id)?;
        let queue = queues.get(&view.id).cloned()?;
        Some((view, queue))
    });
    let (view, queue) = seen.ok_or_else(unknown)?;
    Ok(json(&peer(view, &queue)))
}

pub(super) async fn remove(
    State(state): State<ServerState>,
    id: Result<Path<String>, PathRejection>,
    operator: Operator,
    Reason(reason): Reason,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    if !removed(&state, &id, CloseReason::Removed(reason.map(Into::into))) {
        return Err(unknown());
    }
    tracing::info!(peer = id, by = %operator, "an operator removed a peer");
    Ok(no_content())
}

fn removed(state: &ServerState, id: &str, reason: CloseReason) -> bool {
    #[cfg(feature = "text")]
    if let Some(connection) = text_peers::connection_of(id) {
        return state.text.remove(&connection, reason);
    }
    state.json.remove(id, reason)
}

fn unknown() -> Problem {
    Problem::not_found("no such peer is connected")
}

fn peer(view: PeerView, queue: &Outbound) -> Peer {
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

fn shortened(mut peer: Peer) -> Peer {
    if peer.meta_bytes > MAX_LISTED_META_BYTES {
        peer.meta = None;
    }
    peer
}
