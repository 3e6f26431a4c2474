//! The rooms of the text protocol, and who is in them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use wigwag_hub::text::RoomView;

use super::paging::{Paging, cut};
use super::peers::text_id;
use super::problem::Problem;
use super::{Admin, json};

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

pub(super) async fn list(State(admin): State<Arc<Admin>>, uri: Uri) -> Result<Response, Problem> {
    let Paging { limit, after } = Paging::read(&uri)?;
    let seen = admin.shared.text_switchboard.look(|hub, _| {
        let found = hub.rooms_after(after.as_deref(), MAX_LISTED_MEMBERS);
        found.take(limit + 1).collect::<Vec<_>>()
    });
    let rooms = seen.iter().map(|room| (&room.name, Room::from(room)));
    let (rooms, next) = cut(rooms.collect(), limit);
    Ok(json(&Page { rooms, next }))
}

pub(super) async fn one(
    State(admin): State<Arc<Admin>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("there is no such room");
    let Path(name) = name.map_err(|_| unknown())?;
    let seen = admin.shared.text_switchboard.look(|hub, _| hub.room(&name));
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
