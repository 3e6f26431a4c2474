//! A list for people.

use std::fmt::Write as _;

use serde_json::Value;
use wigwag_protocol::json::ListedPeer;

use crate::printable::{columns, padded, printable};

/// Columns of each; the ids of servers are 36 long.
const MAX_ID: usize = 40;
const MAX_NAME: usize = 32;
const MAX_META: usize = 60;

pub(super) fn table(peers: &[ListedPeer]) -> String {
    let rows: Vec<[String; 3]> = peers.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let titles = ["ID", "NAME", "META"].map(str::to_owned);
    let width = |place: usize| {
        let all = rows.iter().chain([&titles]);
        all.map(|row| columns(&row[place])).max().unwrap_or(0)
    };
    let (ids, names) = (width(0), width(1));
    let mut table = String::new();
    for [id, name, meta] in [&titles].into_iter().chain(&rows) {
        let line = format!("{}  {}  {meta}", padded(id, ids), padded(name, names));
        // Writing to a text does not fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn row(peer: &ListedPeer) -> [String; 3] {
    let (name, rest) = name_and_rest(peer);
    [
        printable(peer.id.as_str(), MAX_ID),
        printable(&name, MAX_NAME),
        printable(&rest, MAX_META),
    ]
}

/// What a peer is called, by custom, and what else it says of itself.
fn name_and_rest(peer: &ListedPeer) -> (String, String) {
    match peer.meta.as_ref().map(|meta| meta.to_value()) {
        None => (String::new(), String::new()),
        Some(Value::Object(mut members)) => {
            let name = match members.remove("name") {
                Some(Value::String(name)) => name,
                Some(other) => other.to_string(),
                None => String::new(),
            };
            let rest = if members.is_empty() {
                String::new()
            } else {
                Value::Object(members).to_string()
            };
            (name, rest)
        }
        Some(other) => (String::new(), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn peers(metas: &[Value]) -> Vec<ListedPeer> {
        let peers = metas.iter().enumerate();
        peers
            .map(|(number, meta)| {
                let peer = json!({"id": format!("id-{number}"), "meta": meta});
                serde_json::from_value(peer).expect("a peer")
            })
            .collect()
    }

    #[test]
    fn people_read_a_table() {
        let peers = peers(&[
            json!({"name": "front door", "floor": 1}),
            json!(null),
            json!("just text"),
            json!({"name": 7}),
        ]);
        let expected = "\
ID    NAME        META
id-0  front door  {\"floor\":1}
id-1
id-2              \"just text\"
id-3  7
";
        assert_eq!(table(&peers), expected);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn hostile_metas_stay_in_their_columns() {
        let hostile = "\x1b[2J\u{202e}\n".to_owned() + &"前".repeat(100);
        let text = table(&peers(&[
            json!({"name": hostile, "x": hostile}),
            json!({"name": "b"}),
        ]));
        assert_eq!(text.lines().count(), 3);
        assert!(
            !text.contains('\x1b') && !text.contains('\u{202e}'),
            "{text}"
        );
        let widest = text.lines().map(columns).max();
        assert!(widest <= Some(4 + 2 + MAX_NAME + 2 + MAX_META), "{text}");
    }
}
