//! The running sessions.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::SessionView;

use super::answer::{json, no_content};
use super::operator::Operator;
use super::paging::{Mark, Paging, cut};
use super::problem::Problem;
use super::reason::Reason;
use super::session::Session;
#[cfg(feature = "text")]
use super::text_peers;
use crate::metrics::Protocol;
use crate::state::ServerState;

/// The reason for members of the JSON protocol where no other is given.
const REASON: &str = "ended by the operator";

#[derive(Serialize)]
struct Page {
    sessions: Vec<Session>,
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<ServerState>,
    paging: Paging,
) -> Result<Response, Problem> {
    let mark = paging.mark()?;
    let wanted = paging.limit + 1;
    let mut sessions = Vec::new();
    if !matches!(mark, Some(Mark::Text(_))) {
        let after = mark.map(Mark::number);
        let seen = state.json.look(|hub, _| {
            let found = hub.hub().sessions_after(after).take(wanted);
            found.collect::<Vec<_>>()
        });
        let seen = seen.into_iter();
        sessions.extend(seen.map(|view| (Mark::Json(view.number), session(&view))));
    }
    #[cfg(feature = "text")]
    let unfinished = {
        let text = text_peers::sessions(&state, mark, wanted - sessions.len());
        sessions.extend(text.found);
        text.unfinished
    };
    #[cfg(not(feature = "text"))]
    let unfinished: Option<Mark> = None;
    let (sessions, next) = cut(sessions, paging.limit);
    let next = next.or_else(|| unfinished.map(|mark| mark.to_string()));
    Ok(json(&Page { sessions, next }))
}

pub(super) async fn one(
    State(state): State<ServerState>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    #[cfg(feature = "text")]
    if let Some(connection) = text_peers::connection_of(&id) {
        let session = text_peers::session(&state, connection);
        return Ok(json(&session.ok_or_else(unknown)?));
    }
    let view = state.json.look(|hub, _| hub.hub().session(&id));
    Ok(json(&session(&view.ok_or_else(unknown)?)))
}

pub(super) async fn end(
    State(state): State<ServerState>,
    id: Result<Path<String>, PathRejection>,
    operator: Operator,
    Reason(reason): Reason,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    if !ended(&state, &id, reason) {
        return Err(unknown());
    }
    tracing::info!(session = id, by = %operator, "an operator ended a session");
    Ok(no_content())
}

fn ended(state: &ServerState, id: &str, reason: Option<String>) -> bool {
    #[cfg(feature = "text")]
    if let Some(caller) = text_peers::connection_of(id) {
        return state
            .text
            .change(|hub, queues| hub.end_session(caller, queues));
    }
    let reason = reason.unwrap_or_else(|| REASON.to_owned());
    state
        .json
        .change(|hub, queues| hub.end_session(id, reason, queues))
}

fn unknown() -> Problem {
    Problem::not_found("no such session is running")
}

fn session(view: &SessionView) -> Session {
    let callee = if view.caller == view.producer {
        &view.consumer
    } else {
        &view.producer
    };
    Session {
        id: view.id.to_string(),
        protocol: Protocol::Json.name(),
        caller: view.caller.to_string(),
        callee: callee.to_string(),
        producer: Some(view.producer.to_string()),
    }
}
