//! The rooms of the text protocol, and their members.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::text::RoomView;

use super::answer::json;
use super::paging::{Paging, cut};
use super::problem::Problem;
use super::text_peers::text_id;
use crate::state::ServerState;

/// Members that a list names of each room; all of them are with the room.
const MAX_LISTED_MEMBERS: usize = 16;

#[derive(Serialize)]
struct Page {
    rooms: Vec<Room>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Room {
    name: String,
    member_count: usize,
    members: Vec<String>,
}

pub(super) async fn list(
    State(state): State<ServerState>,
    Paging { limit, after }: Paging,
) -> Result<Response, Problem> {
    let seen = state.text.look(|hub, _| {
        let found = hub.hub().rooms_after(after.as_deref(), MAX_LISTED_MEMBERS);
        found.take(limit + 1).collect::<Vec<_>>()
    });
    let rooms = seen.iter().map(|room| (&room.name, Room::from(room)));
    let (rooms, next) = cut(rooms.collect(), limit);
    Ok(json(&Page { rooms, next }))
}

pub(super) async fn one(
    State(state): State<ServerState>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("there is no such room");
    let Path(name) = name.map_err(|_| unknown())?;
    let seen = state.text.look(|hub, _| hub.hub().room(&name));
    Ok(json(&Room::from(&seen.ok_or_else(unknown)?)))
}

impl From<&RoomView> for Room {
    fn from(view: &RoomView) -> Self {
        Self {
            name: view.name.to_string(),
            member_count: view.member_count,
            members: view.members.iter().copied().map(text_id).collect(),
        }
    }
}
