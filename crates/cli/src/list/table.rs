//! A list for people.

use wigwag_protocol::json::ListedPeer;

use crate::meta;
use crate::table::{self, Column};

/// The ids of servers are 36 long.
const TITLES: [Column; 3] = [("ID", 40), ("NAME", 32), ("META", 60)];

/// Empty if nobody is listed.
pub(super) fn table(peers: &[ListedPeer]) -> String {
    let lines = table::table(&TITLES, peers.iter().map(row)).into_iter();
    lines.map(|line| line + "\n").collect()
}

fn row(peer: &ListedPeer) -> [String; TITLES.len()] {
    let said = peer.meta.as_ref().map(|meta| meta.to_value());
    [
        peer.id.to_string(),
        meta::name(said.as_ref()).into_owned(),
        meta::besides_name(said.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::printable::columns;

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
        let [_, (_, name), (_, meta)] = TITLES;
        assert!(widest <= Some(4 + 2 + name + 2 + meta), "{text}");
    }
}
