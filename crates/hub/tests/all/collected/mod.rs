//! An outbox that keeps what it is given.
use wigwag_hub::json::{ClientMessage, PeerId, ServerMessage};
use wigwag_hub::{Hub, List, Outbox, Policy, Violation};

/// Messages, and the texts of lists.
#[derive(Default)]
pub(crate) struct Collected(pub Vec<(PeerId, ServerMessage)>, pub Vec<String>);

impl Outbox for Collected {
    fn send(&mut self, to: &PeerId, message: ServerMessage) {
        self.0.push((to.clone(), message));
    }

    fn send_list(&mut self, to: &PeerId, list: &mut List<'_>) {
        self.send(to, list.message());
        let text = list.slices().concat();
        self.1.push(String::from_utf8(text).expect("a text"));
    }

    fn broadcast<'a>(&mut self, to: impl Iterator<Item = &'a PeerId>, message: ServerMessage) {
        for to in to {
            self.send(to, message.clone());
        }
    }
}

pub(crate) fn hub(policy: Policy) -> Hub {
    Hub::new(policy, [7; 32])
}

/// Lets a peer send a text, and returns what everyone received.
pub(crate) fn send(hub: &mut Hub, from: &PeerId, text: &str) -> Vec<(PeerId, ServerMessage)> {
    try_send(hub, from, text).expect("within the limits")
}

pub(crate) fn try_send(
    hub: &mut Hub,
    from: &PeerId,
    text: &str,
) -> Result<Vec<(PeerId, ServerMessage)>, Violation> {
    let message = ClientMessage::from_json(text).expect("a message of the protocol");
    let mut out = Collected::default();
    hub.handle(from, message, &mut out)?;
    Ok(out.0)
}

pub(crate) fn disconnect(hub: &mut Hub, peer: &PeerId) -> Vec<(PeerId, ServerMessage)> {
    let mut out = Collected::default();
    hub.disconnect(peer, &mut out);
    out.0
}
