//! One JSON object per line on standard output.

use std::io::Write;

use serde_json::{Value, json};

/// Writes the event at once; a reader that has gone away is no reason to fail.
pub(crate) fn print(event: &Value) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{event}");
    let _ = output.flush();
}

/// Writes an event that concerns a peer of the signalling server.
pub(crate) fn print_peer(event: &str, peer: &str) {
    print(&json!({"event": event, "peer": peer}));
}
