//! One picture as plain text, for scripts and logs.

use std::fmt::Write as _;

use super::snapshot::Snapshot;
use super::text;
use crate::printable::printable;
use crate::table::table;

/// Longer lines are no terminal's.
const MAX_LINE: usize = 300;

pub(super) fn picture(admin: &str, snapshot: &Snapshot) -> String {
    let mut picture = String::new();
    let mut line = |text: &str| {
        // Writing to a text does not fail.
        let _ = writeln!(picture, "{}", printable(text.trim_end(), MAX_LINE));
    };
    line(&text::server(admin, snapshot));
    for counts in text::counts(snapshot) {
        line(&counts);
    }
    line(&text::traffic(snapshot, None));
    let tables = [
        table(&text::PEERS, snapshot.peers.iter().map(text::peer)),
        table(&text::SESSIONS, snapshot.sessions.iter().map(text::session)),
        table(&text::ROOMS, snapshot.rooms.iter().map(text::room)),
    ];
    for table in tables.iter().filter(|table| !table.is_empty()) {
        line("");
        for row in table {
            line(row);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Peer, Room};
    use super::*;

    #[test]
    fn a_picture_is_plain_text() {
        let snapshot = Snapshot {
            peers: vec![Peer {
                id: "text-1".to_owned(),
                protocol: "text".to_owned(),
                name: Some("\x1b[2Jbob\u{202e}".to_owned()),
                address: Some("127.0.0.1:5".to_owned()),
                connected_at: "2026-11-21T20:00:00Z".to_owned(),
                room: Some("yard".to_owned()),
                ..Peer::default()
            }],
            rooms: vec![Room {
                name: "yard".to_owned(),
                member_count: 3,
                members: vec!["text-1".to_owned(), "text-2".to_owned()],
            }],
            ..Snapshot::default()
        };
        let picture = picture("http://127.0.0.1:8445/", &snapshot);
        let expected = "\
wigwag  at http://127.0.0.1:8445/, up 00:00:00
JSON protocol: 0 peers (0 producers, 0 consumers, 0 listeners), 0 sessions
text protocol: 0 peers, 0 sessions, 0 rooms
messages: 0 received, 0 sent

ID      NAME                  DOES     SESSIONS  QUEUE  ADDRESS      SINCE                 PROTOCOL  META
text-1  \\u{1b}[2Jbob\\u{202e}  in yard  0         0      127.0.0.1:5  2026-11-21T20:00:00Z  text

ROOM  MEMBERS  WHO
yard  3        text-1 text-2 …
";
        assert_eq!(picture, expected);
    }
}
