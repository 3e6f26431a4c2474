//! Who talks to whom.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::SessionView;
use wigwag_hub::text::{Activity, ConnectionId, ConnectionView};

use super::paging::{Mark, Paging, cut};
use super::peers::{connection_of, text_id};
use super::problem::Problem;
use super::reason;
use super::{Admin, done, json};
use crate::metrics::Protocol;

/// Connections of the text protocol that are looked at for one page: a session has no entry of its own there, and the
/// lock is held meanwhile.
const MAX_LOOKED_AT: usize = 8192;

/// What members of the JSON protocol are told where no other reason is given.
const REASON: &str = "ended by the operator";

#[derive(Serialize)]
struct Page {
    sessions: Vec<Session>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Session {
    id: String,
    protocol: &'static str,
    caller: String,
    callee: String,
    producer: Option<String>,
}

pub(super) async fn list(State(admin): State<Arc<Admin>>, uri: Uri) -> Result<Response, Problem> {
    let paging = Paging::read(&uri)?;
    let mark = paging.mark()?;
    let wanted = paging.limit + 1;
    let mut sessions = Vec::new();
    if !matches!(mark, Some(Mark::Text(_))) {
        let after = mark.map(Mark::number);
        let seen = admin
            .shared
            .switchboard
            .look(|hub, _| hub.sessions_after(after).take(wanted).collect::<Vec<_>>());
        let seen = seen.into_iter();
        sessions.extend(seen.map(|view| (Mark::Json(view.number), of_json_protocol(&view))));
    }
    let mut looked_at_all = true;
    let mut last = None;
    if sessions.len() < wanted {
        let after = match mark {
            Some(Mark::Text(number)) => Some(ConnectionId::from(number)),
            _ => None,
        };
        let seen = admin.shared.text_switchboard.look(|hub, _| {
            let mut found = Vec::new();
            for (looked_at, view) in hub.connections_after(after).enumerate() {
                if looked_at == MAX_LOOKED_AT {
                    looked_at_all = false;
                    break;
                }
                last = Some(Mark::Text(view.connection.number()));
                found.extend(of_text_protocol(&view));
                if sessions.len() + found.len() == wanted {
                    break;
                }
            }
            found
        });
        sessions.extend(seen);
    }
    let (sessions, mut next) = cut(sessions, paging.limit);
    if !looked_at_all && next.is_none() {
        next = last.map(|mark| mark.to_string());
    }
    Ok(json(&Page { sessions, next }))
}

pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    let session = match connection_of(&id) {
        Some(connection) => admin
            .shared
            .text_switchboard
            .look(|hub, _| hub.connection(connection))
            .and_then(|view| of_text_protocol(&view))
            .map(|(_, session)| session),
        None => admin
            .shared
            .switchboard
            .look(|hub, _| hub.session(&id))
            .map(|view| of_json_protocol(&view)),
    };
    Ok(json(&session.ok_or_else(unknown)?))
}

pub(super) async fn end(
    State(admin): State<Arc<Admin>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| unknown())?;
    let reason = reason::read(request).await?;
    let was_there = match connection_of(&id) {
        Some(caller) => admin.shared.text_switchboard.end_session(caller),
        None => {
            let reason = reason.unwrap_or_else(|| REASON.to_owned());
            admin.shared.switchboard.end_session(&id, reason)
        }
    };
    if !was_there {
        return Err(unknown());
    }
    tracing::info!(session = id, "the operator ended a session");
    Ok(done())
}

fn unknown() -> Problem {
    Problem::not_found("no such session is running")
}

fn of_json_protocol(view: &SessionView) -> Session {
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

/// The session that a connection started: it has the id of that connection.
fn of_text_protocol(view: &ConnectionView) -> Option<(Mark, Session)> {
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
