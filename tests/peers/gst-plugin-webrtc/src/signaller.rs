//! Where the signalling server is, and the signaller's own events.

use clap::Args;
use gst::glib;
use gst::prelude::*;

use crate::events;

/// How to reach the signalling server.
#[derive(Args)]
pub(crate) struct Server {
    /// ws:// or wss:// address of the signalling server
    #[arg(long, value_parser = websocket_address)]
    uri: String,
    /// Certificates to trust; without them the elements accept any certificate
    #[arg(long)]
    cafile: Option<String>,
}

impl Server {
    /// Points the signaller at this server and reports the id that the server gives us.
    pub(crate) fn configure(&self, signaller: &glib::Object) {
        signaller.set_property("uri", &self.uri);
        signaller.set_property("cafile", &self.cafile);
        signaller.connect_notify(Some("client-id"), |signaller, _| {
            if let Some(id) = signaller.property::<Option<String>>("client-id") {
                events::print_peer("registered", &id);
            }
        });
    }
}

/// The signaller would silently keep its default address when given one that it cannot parse.
fn websocket_address(text: &str) -> Result<String, String> {
    if text.starts_with("ws://") || text.starts_with("wss://") {
        Ok(text.to_owned())
    } else {
        Err("expected ws://… or wss://…".to_owned())
    }
}
