//! A viewer at a server of the JSON protocol.

use std::sync::Arc;

use tokio::time::{timeout, timeout_at};
use wigwag_protocol::json::{
    ClientMessage, ListedPeer, PeerId, PeerMessage, PeerMessageBody, ServerMessage,
    SessionDescription, SessionId,
};

use super::viewer::{Call, SETUP_TIMEOUT, Stop};
use crate::client::{Connection, Way};

/// Room for a message of our server's, which are up to 1 MiB and a little.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// Candidates that come before the offer; more are passed over.
const MAX_EARLY_CANDIDATES: usize = 64;

/// The ids of producers by their names or ids; of the first that is listed, if none is named.
pub(super) async fn find_producers(
    way: &Way,
    address: &str,
    wanted: &[String],
) -> Result<Vec<String>, String> {
    let listing = async {
        let mut connection = Connection::open(way, address, MAX_MESSAGE).await?;
        connection.send(&ClientMessage::List).await?;
        loop {
            if let ServerMessage::List { producers } = connection.next().await? {
                connection.close().await;
                if wanted.is_empty() {
                    return Ok(vec![choose(&producers, None)?]);
                }
                let wanted = wanted.iter();
                return wanted.map(|one| choose(&producers, Some(one))).collect();
            }
        }
    };
    let listed = timeout(SETUP_TIMEOUT, listing).await;
    listed.map_err(|_| "the server is silent".to_owned())?
}

fn choose(producers: &[ListedPeer], wanted: Option<&str>) -> Result<String, String> {
    let Some(wanted) = wanted else {
        let first = producers.first().map(|producer| producer.id.to_string());
        return first.ok_or_else(|| "nobody sends anything at this server".to_owned());
    };
    let name = |producer: &ListedPeer| {
        let meta = producer.meta.as_ref()?.to_value();
        Some(meta.get("name")?.as_str()?.to_owned())
    };
    let by_id = producers
        .iter()
        .find(|producer| producer.id.as_str() == wanted);
    let by_name = || {
        producers
            .iter()
            .find(|producer| name(producer).as_deref() == Some(wanted))
    };
    if let Some(found) = by_id.or_else(by_name) {
        return Ok(found.id.to_string());
    }
    let names: Vec<_> = producers
        .iter()
        .map(|producer| name(producer).unwrap_or_else(|| producer.id.to_string()))
        .collect();
    Err(format!(
        "nobody called \"{wanted}\" sends at this server; those who do: {}",
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    ))
}

/// Calls a producer, and watches until it is told to stop; fails if it cannot, or is ended.
pub(super) async fn watch(
    way: &Way,
    address: &str,
    producer: &str,
    call: &Arc<Call>,
    stop: &mut Stop,
) -> Result<(), String> {
    let deadline = tokio::time::Instant::now() + SETUP_TIMEOUT;
    let opening = timeout_at(deadline, Connection::open(way, address, MAX_MESSAGE)).await;
    let mut connection = opening.map_err(|_| "the server is silent".to_owned())??;
    let start = ClientMessage::StartSession {
        peer_id: PeerId::from(producer),
        offer: None,
    };
    connection.send(&start).await?;
    let mut session = None;
    let mut early: Vec<String> = Vec::new();
    loop {
        let message = tokio::select! {
            message = connection.next() => message?,
            () = stop.told() => {
                if let Some(session_id) = session {
                    // It is over anyway.
                    let _ = connection.send(&ClientMessage::EndSession { session_id }).await;
                }
                connection.close().await;
                return Ok(());
            }
            () = tokio::time::sleep_until(deadline), if !call.is_described() => {
                return Err(format!("no offer within {} s", SETUP_TIMEOUT.as_secs()));
            }
        };
        match message {
            ServerMessage::SessionStarted { session_id, .. } => session = Some(session_id),
            ServerMessage::Peer(message) => {
                session.get_or_insert_with(|| message.session_id.clone());
                match message.body {
                    PeerMessageBody::Sdp(SessionDescription::Offer { sdp }) => {
                        let Some(answer) = call.answer(&sdp)? else {
                            continue;
                        };
                        connection
                            .send(&described(message.session_id, answer))
                            .await?;
                        for candidate in early.drain(..) {
                            call.add_candidate(&candidate);
                        }
                    }
                    PeerMessageBody::Ice { candidate, .. } if candidate.is_empty() => {}
                    PeerMessageBody::Ice { candidate, .. } if call.is_described() => {
                        call.add_candidate(&candidate);
                    }
                    PeerMessageBody::Ice { candidate, .. } => {
                        keep_for_later(&mut early, candidate);
                    }
                    PeerMessageBody::Sdp(SessionDescription::Answer { .. }) => {}
                }
            }
            ServerMessage::EndSession { .. } => return Err("the sender ended it".to_owned()),
            ServerMessage::EndSessionV1_1 { error, .. } => {
                let reason = error.map_or(String::new(), |error| format!(": {error}"));
                return Err(format!("the sender ended it{reason}"));
            }
            ServerMessage::Error { details } => {
                return Err(format!("the server refused: {details}"));
            }
            _ => {}
        }
    }
}

fn keep_for_later(early: &mut Vec<String>, candidate: String) {
    if early.len() < MAX_EARLY_CANDIDATES {
        early.push(candidate);
    }
}

fn described(session_id: SessionId, sdp: String) -> ClientMessage {
    ClientMessage::Peer(PeerMessage {
        session_id,
        body: PeerMessageBody::Sdp(SessionDescription::Answer { sdp }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<ListedPeer> {
        let list = r#"{"type": "list", "producers": [
            {"id": "1", "meta": {"name": "garden"}}, {"id": "2", "meta": null},
            {"id": "3", "meta": {"name": "2"}}]}"#;
        match ServerMessage::from_json(list) {
            Ok(ServerMessage::List { producers }) => producers,
            other => panic!("no list: {other:?}"),
        }
    }

    #[test]
    fn producers_are_found_by_id_then_by_name() {
        let producers = listed();
        assert_eq!(choose(&producers, None).as_deref(), Ok("1"));
        assert_eq!(choose(&producers, Some("2")).as_deref(), Ok("2"));
        assert_eq!(choose(&producers, Some("garden")).as_deref(), Ok("1"));
        let refusal = choose(&producers, Some("door")).expect_err("there is none");
        assert!(
            refusal.contains("\"door\"") && refusal.contains("garden, 2, 2"),
            "{refusal}"
        );
        assert!(choose(&[], None).is_err());
        assert!(choose(&[], Some("door")).is_err());
    }

    #[test]
    fn candidates_that_come_early_are_bounded() {
        let mut early = Vec::new();
        for number in 0..2 * MAX_EARLY_CANDIDATES {
            keep_for_later(&mut early, number.to_string());
        }
        assert_eq!(early.len(), MAX_EARLY_CANDIDATES);
        assert_eq!(early[0], "0");
    }
}
