//! Replaying a conversation step by step.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use crate::{Conversation, Peers, Placeholders, Step};

/// How a replay went: `Err` says in which step what differed.
pub type Replayed = Result<(), String>;

/// Replays `conversation` against a server that nobody else uses.
///
/// # Errors
///
/// A peer received something else than recorded.
pub fn replay(conversation: &Conversation, peers: &mut impl Peers) -> Replayed {
    let mut placeholders = Placeholders::default();
    let mut inboxes: BTreeMap<String, VecDeque<Value>> = BTreeMap::new();
    let mut closed: BTreeMap<String, u16> = BTreeMap::new();
    for (number, step) in conversation.steps.iter().enumerate() {
        let place = || format!("{}, step {}", conversation.name, number + 1);
        if let Step::Receive(peer, recorded) = step {
            let received = inboxes.get_mut(peer).and_then(VecDeque::pop_front);
            let matches = received.as_ref().is_some_and(|received| {
                is_same_list(recorded, received) || placeholders.matches(recorded, received)
            });
            if !matches {
                return Err(format!(
                    "{}: {peer} should receive {recorded}, received {received:?}",
                    place()
                ));
            }
            continue;
        }
        if let Step::Closed(peer, recorded) = step {
            let code = closed.remove(peer);
            if code != Some(*recorded) {
                return Err(format!(
                    "{}: {peer} should be closed with {recorded}, not {code:?}",
                    place()
                ));
            }
            continue;
        }
        nothing_left(&inboxes, &closed).map_err(|left| format!("before {}: {left}", place()))?;
        act(step, &placeholders, peers);
        for (peer, message) in peers.receive_all() {
            inboxes.entry(peer).or_default().push_back(message);
        }
        closed.extend(peers.closed());
    }
    nothing_left(&inboxes, &closed)
        .map_err(|left| format!("at the end of {}: {left}", conversation.name))
}

fn act(step: &Step, placeholders: &Placeholders, peers: &mut impl Peers) {
    match step {
        Step::Connect(peer) => peers.connect(peer),
        Step::Send(peer, Value::String(text)) => peers.send(peer, text),
        Step::Send(peer, message) => peers.send(peer, &placeholders.fill(message).to_string()),
        Step::Close(peer) => peers.close(peer),
        Step::Receive(..) | Step::Closed(..) => {}
    }
}

/// Whether both are the text protocol's list of who is in a room: the recorded server lists them in an order
/// that changes from run to run.
fn is_same_list(recorded: &Value, received: &Value) -> bool {
    let list = |message: &Value| {
        let ids = message.as_str()?.strip_prefix("ROOM_OK ")?;
        let mut ids: Vec<_> = ids.split(' ').map(str::to_owned).collect();
        ids.sort();
        Some(ids)
    };
    list(recorded).is_some_and(|recorded| list(received) == Some(recorded))
}

fn nothing_left(
    inboxes: &BTreeMap<String, VecDeque<Value>>,
    closed: &BTreeMap<String, u16>,
) -> Replayed {
    if let Some((peer, code)) = closed.first_key_value() {
        return Err(format!("{peer} was closed with {code}"));
    }
    for (peer, inbox) in inboxes {
        if let Some(message) = inbox.front() {
            return Err(format!("{peer} also received {message}"));
        }
    }
    Ok(())
}
