//! The same words for the screen and for scripts.

use super::snapshot::{Peer, Room, Session, Snapshot};
use super::state::Rates;
use crate::table::Column;

pub(super) const PEERS: [Column; 9] = [
    ("ID", 36),
    ("NAME", 24),
    ("DOES", 20),
    ("SESSIONS", 8),
    ("QUEUE", 12),
    ("ADDRESS", 22),
    ("SINCE", 20),
    ("PROTOCOL", 8),
    ("META", 40),
];
pub(super) const SESSIONS: [Column; 5] = [
    ("ID", 36),
    ("CALLER", 36),
    ("CALLEE", 36),
    ("SENDS", 6),
    ("PROTOCOL", 8),
];
pub(super) const ROOMS: [Column; 3] = [("ROOM", 32), ("MEMBERS", 7), ("WHO", 60)];

/// The cells of a peer, as they came: what shows them makes them fit to be shown.
pub(super) fn peer(peer: &Peer) -> [String; PEERS.len()] {
    let queue = match peer.queued_messages {
        0 => "0".to_owned(),
        messages => format!("{messages} ({})", bytes(peer.queued_bytes)),
    };
    [
        peer.id.clone(),
        peer.called().into_owned(),
        peer.does(),
        peer.sessions.to_string(),
        queue,
        peer.address.clone().unwrap_or_default(),
        peer.connected_at.clone(),
        peer.protocol.clone(),
        peer.says(),
    ]
}

pub(super) fn session(session: &Session) -> [String; SESSIONS.len()] {
    let sends = match &session.producer {
        Some(producer) if *producer == session.caller => "caller",
        Some(_) => "callee",
        None => "",
    };
    [
        session.id.clone(),
        session.caller.clone(),
        session.callee.clone(),
        sends.to_owned(),
        session.protocol.clone(),
    ]
}

pub(super) fn room(room: &Room) -> [String; ROOMS.len()] {
    let mut who = room.members.join(" ");
    if room.members.len() < room.member_count {
        who.push_str(" …");
    }
    [room.name.clone(), room.member_count.to_string(), who]
}

/// How many there are, in two lines.
pub(super) fn counts(snapshot: &Snapshot) -> [String; 2] {
    let (json, text) = (&snapshot.status.json, &snapshot.status.text);
    [
        format!(
            "JSON protocol: {} ({}, {}, {}), {}",
            number(json.peers, "peer"),
            number(json.producers, "producer"),
            number(json.consumers, "consumer"),
            number(json.listeners, "listener"),
            number(json.sessions, "session"),
        ),
        format!(
            "text protocol: {}, {}, {}",
            number(text.peers, "peer"),
            number(text.sessions, "session"),
            number(text.rooms, "room"),
        ),
    ]
}

/// How much is said.
pub(super) fn traffic(snapshot: &Snapshot, rates: Option<Rates>) -> String {
    let status = &snapshot.status;
    let rate =
        |rate: Option<f64>| rate.map_or(String::new(), |rate| format!(" ({rate:.1} a second)"));
    format!(
        "messages: {} received{}, {} sent{}",
        status.messages_received,
        rate(rates.map(|rates| rates.received)),
        status.messages_sent,
        rate(rates.map(|rates| rates.sent)),
    )
}

pub(super) fn server(admin: &str, snapshot: &Snapshot) -> String {
    let seconds = snapshot.status.uptime_seconds.clamp(0.0, 1e12) as u64;
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let days = match days {
        0 => String::new(),
        1 => "1 day ".to_owned(),
        days => format!("{days} days "),
    };
    let (hours, minutes, seconds) = (clock / 3600, clock / 60 % 60, clock % 60);
    let version = &snapshot.status.version;
    format!("wigwag {version} at {admin}, up {days}{hours:02}:{minutes:02}:{seconds:02}")
}

/// How many entries there are where not all are shown.
pub(super) fn part(shown: usize, all: usize) -> String {
    if shown < all {
        format!("{shown} of {all}")
    } else {
        shown.to_string()
    }
}

fn number(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn bytes(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
