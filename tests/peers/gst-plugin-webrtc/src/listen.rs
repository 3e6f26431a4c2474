//! `listen`: the plugin's signaller in its listener role, without any media.

use clap::Args;
use gst::glib;
use gst::prelude::*;
use gstrswebrtc::signaller::{SignallableExt, Signaller, WebRTCSignallerRole};
use serde_json::json;

use crate::events;
use crate::run_loop::RunLoop;
use crate::signaller::Server;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let run_loop = RunLoop::new();
    let signaller = Signaller::new(WebRTCSignallerRole::Listener);
    options.server.configure(signaller.upcast_ref());
    for event in ["producer-added", "producer-removed"] {
        signaller.connect(event, false, move |values| {
            print_producer(event, values);
            None
        });
    }
    let ending = run_loop.clone();
    signaller.connect("error", false, move |values| {
        let details = values.get(1).and_then(|value| value.get::<String>().ok());
        events::print(&json!({"event": "error", "details": details}));
        ending.end(1);
        None
    });
    signaller.start();
    // Not stopped but left to the end of the process: the signaller's stop() keeps its lock while it
    // waits for its tasks, and one that is handling a server message waits for that lock.
    Ok(run_loop.run())
}

fn print_producer(event: &str, values: &[glib::Value]) {
    let Some(peer) = values.get(1).and_then(|value| value.get::<String>().ok()) else {
        return;
    };
    let name = values
        .get(2)
        .and_then(|value| value.get::<Option<gst::Structure>>().ok().flatten())
        .and_then(|meta| meta.get::<String>("name").ok());
    events::print(&json!({"event": event, "peer": peer, "name": name}));
}
