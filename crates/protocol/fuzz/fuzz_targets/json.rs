//! Whatever text comes: it is refused, or it is read, and then writing and reading it again yields
//! the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_protocol::json::{ClientMessage, ServerMessage};

fuzz_target!(|text: &str| {
    if let Ok(message) = ClientMessage::from_json(text) {
        assert_eq!(ClientMessage::from_json(&message.to_json()), Ok(message));
    }
    if let Ok(message) = ServerMessage::from_json(text) {
        assert_eq!(ServerMessage::from_json(&message.to_json()), Ok(message));
    }
});
