//! The published `webrtcsink` and `webrtcsrc`, run by the program in `tests/peers/gst-plugin-webrtc`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::server::SignallingServer;
use crate::{DEADLINE, Peer, environment};

// The published listener asks for the list before it becomes a listener. It never hears of a producer
// that registers between the two, which is no fault of the server; a new listener then does.
const LISTENER_PATIENCE: Duration = Duration::from_secs(10);

/// Where the elements find the server, and whom they trust.
#[derive(Debug, Clone)]
pub struct Endpoint {
    uri: String,
    cafile: Option<PathBuf>,
}

impl Endpoint {
    /// A ws server.
    #[must_use]
    pub fn plain(server: &SignallingServer) -> Self {
        Self {
            uri: server.uri(),
            cafile: None,
        }
    }

    /// A ws server at an address.
    #[must_use]
    pub fn at(uri: String) -> Self {
        Self { uri, cafile: None }
    }

    /// A wss server, whose certificate is checked against the file.
    #[must_use]
    pub fn trusting(uri: String, cafile: &Path) -> Self {
        Self {
            uri,
            cafile: Some(cafile.to_owned()),
        }
    }
}

/// Starts a webrtcsink with a test picture of 320 by 240 pixels.
pub fn produce(endpoint: &Endpoint, name: &str) -> Result<Peer> {
    let mut command = command("produce", endpoint)?;
    command.args(["--name", name]);
    Peer::start("webrtcsink", command)
}

/// Starts a webrtcsrc that ends well once it has decoded so many frames.
pub fn consume(endpoint: &Endpoint, producer: &str, frames: u64) -> Result<Peer> {
    let mut command = command("consume", endpoint)?;
    command.args(["--producer", producer]);
    command.args(["--frames", &frames.to_string()]);
    command.args(["--timeout", &DEADLINE.as_secs().to_string()]);
    Peer::start("webrtcsrc", command)
}

/// Starts the plugin's signaller as a listener, which reports producers.
pub fn listen(endpoint: &Endpoint) -> Result<Peer> {
    Peer::start("listener", command("listen", endpoint)?)
}

/// Starts a webrtcsink and waits until the server lists it; returns its id as well.
///
/// The element knows its id before the server has its role, so only a listener can tell when a
/// consumer may call.
pub fn listed_producer(endpoint: &Endpoint) -> Result<(Peer, String)> {
    let mut producer = produce(endpoint, "camera")?;
    let id = producer.wait_for_text("registered", "peer")?;
    let give_up = Instant::now() + DEADLINE;
    loop {
        let mut listener = listen(endpoint)?;
        let heard = listener.wait_within(LISTENER_PATIENCE, "producer-added", |event| {
            event["peer"] == id.as_str()
        });
        match heard {
            Ok(_) => {
                listener.stop()?;
                return Ok((producer, id));
            }
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => (),
        }
    }
}

fn command(subcommand: &str, endpoint: &Endpoint) -> Result<Command> {
    let mut command = Command::new(environment::required("WIGWAG_PEER_GST_WEBRTC")?);
    command.arg(subcommand).args(["--uri", &endpoint.uri]);
    if let Some(cafile) = &endpoint.cafile {
        command.arg("--cafile").arg(cafile);
    }
    Ok(command)
}
