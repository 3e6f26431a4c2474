//! Whatever text comes: it is refused, or it is read, and then writing and reading it again yields
//! the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_protocol::json::{ClientMessage, RelayedMessage, ServerMessage};

fuzz_target!(|text: &str| {
    if let Ok(message) = ClientMessage::from_json(text) {
        assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
    }
    if let Some(relayed_message) = RelayedMessage::from_json(text) {
        // Both readers read the same, and what is passed on as it is can be read by who gets it.
        let (is_verbatim, is_offer) = (relayed_message.is_verbatim(), relayed_message.is_offer());
        let session_id = relayed_message.session_id().to_owned();
        let message = relayed_message.into_message();
        assert_eq!(message.session_id.as_str(), session_id);
        assert_eq!(message.body.is_offer(), is_offer);
        let read = ClientMessage::from_json(text);
        assert_eq!(read, Ok(ClientMessage::Peer(message.clone())));
        if is_verbatim {
            let read = ServerMessage::from_json(text);
            assert_eq!(read, Ok(ServerMessage::Peer(message)));
        }
    }
    if let Ok(message) = ServerMessage::from_json(text) {
        assert_eq!(ServerMessage::from_json(&message.to_json()), Ok(message));
    }
});
