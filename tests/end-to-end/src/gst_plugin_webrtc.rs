//! The published `webrtcsink` and `webrtcsrc`, run by the program in `tests/peers/gst-plugin-webrtc`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use crate::server::SignallingServer;
use crate::{DEADLINE, Namespace, Peer, environment};

// The published listener asks for the list before it becomes a listener. It never hears of a producer
// that registers between the two, which is no fault of the server; a new listener then does.
const LISTENER_PATIENCE: Duration = Duration::from_secs(10);

/// Where the elements find the server, whom they trust, and on what network.
#[derive(Debug, Clone)]
pub struct Endpoint {
    uri: String,
    cafile: Option<PathBuf>,
    network: Option<(Rc<Namespace>, IpAddr)>,
}

/// What a webrtcsrc is to receive.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What is counted: decoded `video` or `audio`, or what was sent: `vp8`, `h264`, `opus`.
    pub media: &'a str,
    /// The only video codec that it takes.
    pub video_codec: Option<&'a str>,
    /// How many are enough.
    pub frames: u64,
    /// Whether it goes on after errors.
    pub go_on: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            media: "video",
            video_codec: None,
            frames: 60,
            go_on: false,
        }
    }
}

impl Endpoint {
    /// A ws server.
    #[must_use]
    pub fn plain(server: &SignallingServer) -> Self {
        Self {
            uri: server.uri(),
            cafile: None,
            network: None,
        }
    }

    /// A wss server, whose certificate is not checked.
    #[must_use]
    pub fn unverified(uri: String) -> Self {
        Self {
            uri,
            cafile: None,
            network: None,
        }
    }

    /// A ws server as it is reached from a namespace, where media is received at this address.
    #[must_use]
    pub fn from_namespace(uri: String, namespace: &Rc<Namespace>, address: IpAddr) -> Self {
        Self {
            uri,
            cafile: None,
            network: Some((Rc::clone(namespace), address)),
        }
    }

    /// A ws server at an address.
    #[must_use]
    pub fn at(uri: String) -> Self {
        Self {
            uri,
            cafile: None,
            network: None,
        }
    }

    /// A wss server, whose certificate is checked against the file.
    #[must_use]
    pub fn trusting(uri: String, cafile: &Path) -> Self {
        Self {
            uri,
            cafile: Some(cafile.to_owned()),
            network: None,
        }
    }

    /// The address of the server.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

/// Starts a webrtcsink with a test picture of 320 by 240 pixels.
pub fn produce(endpoint: &Endpoint, name: &str) -> Result<Peer> {
    let arguments = ["--name".to_owned(), name.to_owned()];
    start("webrtcsink", "produce", endpoint, &arguments)
}

/// Starts a webrtcsrc that ends well once it has decoded so many frames.
pub fn consume(endpoint: &Endpoint, producer: &str, frames: u64) -> Result<Peer> {
    let wanted = Wanted {
        frames,
        ..Wanted::default()
    };
    receive(endpoint, producer, wanted)
}

/// Starts a webrtcsrc that ends well once it has received enough of what is wanted.
pub fn receive(endpoint: &Endpoint, producer: &str, wanted: Wanted<'_>) -> Result<Peer> {
    let mut arguments = Vec::new();
    let mut option = |name: &str, value: &str| {
        arguments.extend([name.to_owned(), value.to_owned()]);
    };
    option("--producer", producer);
    option("--media", wanted.media);
    option("--frames", &wanted.frames.to_string());
    option("--timeout", &DEADLINE.as_secs().to_string());
    if let Some(codec) = wanted.video_codec {
        option("--video-codec", codec);
    }
    if let Some((_, address)) = &endpoint.network {
        option("--address", &address.to_string());
    }
    if wanted.go_on {
        arguments.push("--go-on".to_owned());
    }
    start("webrtcsrc", "consume", endpoint, &arguments)
}

/// Starts a webrtcsrc that reports what becomes of each of its pads.
pub fn watch_pads(endpoint: &Endpoint, producer: &str) -> Result<Peer> {
    let arguments = ["--producer".to_owned(), producer.to_owned()];
    start("webrtcsrc", "pads", endpoint, &arguments)
}

/// Starts our webrtcsink with pads of these kinds, in a program that adds and removes pads as lines of its input say: `add video`,
/// `remove video_0`. Returns its id as well, once the server lists it.
pub fn change_pads(endpoint: &Endpoint, pads: &[&str]) -> Result<(Peer, String)> {
    const NAME: &str = "changing";
    let mut command = Command::new(environment::required("WIGWAG_CHANGING_PADS")?);
    command.args([&endpoint.uri, NAME]).args(pads);
    command
        .env("GST_DEBUG", "webrtcsink:4")
        .env("GST_DEBUG_NO_COLOR", "1")
        .env("WIGWAG_ADDRESSES", "127.0.0.1");
    let sender = Peer::start("webrtcsink", command)?;
    let id = wait_until_listed(endpoint, |event| event["name"] == NAME)?;
    Ok((sender, id))
}

/// Starts the plugin's signaller as a listener, which reports producers.
pub fn listen(endpoint: &Endpoint) -> Result<Peer> {
    start("listener", "listen", endpoint, &[])
}

/// Starts a webrtcsink and waits until the server lists it; returns its id as well.
///
/// The element knows its id before the server has its role, so only a listener can tell when a
/// consumer may call.
pub fn listed_producer(endpoint: &Endpoint) -> Result<(Peer, String)> {
    listed_producer_of(endpoint, "video/x-vp8")
}

/// The same, with the codec of these caps.
pub fn listed_producer_of(endpoint: &Endpoint, caps: &str) -> Result<(Peer, String)> {
    let arguments = ["--name", "camera", "--video-caps", caps].map(str::to_owned);
    let mut producer = start("webrtcsink", "produce", endpoint, &arguments)?;
    let id = producer.wait_for_text("registered", "peer")?;
    wait_until_listed(endpoint, |event| event["peer"] == id.as_str())?;
    Ok((producer, id))
}

/// Waits until the server lists such a producer, and returns its id.
pub(crate) fn wait_until_listed(
    endpoint: &Endpoint,
    condition: impl Fn(&Value) -> bool,
) -> Result<String> {
    let give_up = Instant::now() + DEADLINE;
    loop {
        let mut listener = listen(endpoint)?;
        let heard = listener.wait_within(LISTENER_PATIENCE, "producer-added", &condition);
        match heard {
            Ok(event) => {
                listener.stop()?;
                return Ok(event["peer"].as_str().unwrap_or_default().to_owned());
            }
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => (),
        }
    }
}

fn start(name: &str, subcommand: &str, endpoint: &Endpoint, arguments: &[String]) -> Result<Peer> {
    let mut command = Command::new(environment::required("WIGWAG_PEER_GST_WEBRTC")?);
    command.arg(subcommand).args(["--uri", &endpoint.uri]);
    if let Some(cafile) = &endpoint.cafile {
        command.arg("--cafile").arg(cafile);
    }
    command.args(arguments);
    let command = match &endpoint.network {
        Some((namespace, _)) => namespace.enter(&command),
        None => command,
    };
    Peer::start(name, command)
}
