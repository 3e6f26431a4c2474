//! What `wigwag list` is told.

use std::path::PathBuf;

use clap::Args;
use wigwag_client::Trust;

use crate::client::{Protocol, Target};

const SERVER: &str = "ws://127.0.0.1:8443";

const EXPLANATION: &str = "\
Any server of the protocol of webrtcsink can be asked, also gst-webrtc-signalling-server. What peers say of themselves
is shown in a way that cannot act on the terminal.

Exit codes: 0 the server answered, if only that nobody is there; 1 an error; 2 a command line that makes no sense.";

/// What `wigwag list` is told.
#[derive(Args, Debug)]
#[command(after_help = EXPLANATION)]
pub struct ListArguments {
    /// The signalling server: ws or wss [default: ws://127.0.0.1:8443]
    #[arg(value_name = "URL", value_parser = signalling, conflicts_with = "server")]
    url: Option<Target>,

    /// The same, by name
    #[arg(long, value_name = "URL", value_parser = signalling)]
    server: Option<Target>,

    /// Lists the peers that wait to be called by a producer instead
    #[arg(long)]
    pub(super) consumers: bool,

    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Authorities (PEM file) to trust with a wss server, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_tls")]
    cafile: Option<PathBuf>,

    /// Takes whatever certificate the server shows
    #[arg(long)]
    insecure_tls: bool,
}

impl ListArguments {
    pub(super) fn target(&self) -> Target {
        let told = self.url.as_ref().or(self.server.as_ref()).cloned();
        told.unwrap_or_else(|| SERVER.parse().expect("an address"))
    }

    pub(super) fn trust(&self) -> Trust {
        Trust {
            cafile: self.cafile.clone(),
            insecure_tls: self.insecure_tls,
        }
    }
}

fn signalling(text: &str) -> Result<Target, String> {
    let target: Target = text.parse()?;
    match target.protocol {
        Protocol::Json => Ok(target),
        Protocol::Whep => Err("it begins with ws:// or wss://".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        list: ListArguments,
    }

    fn target(line: &str) -> Option<String> {
        let read = CommandLine::try_parse_from(line.split(' ')).ok()?;
        Some(read.list.target().to_string())
    }

    #[test]
    fn the_server_is_named_once_or_not_at_all() {
        for line in [
            "list",
            "list ws://127.0.0.1:8443",
            "list --server ws://127.0.0.1:8443",
        ] {
            assert_eq!(
                target(line).as_deref(),
                Some("ws://127.0.0.1:8443/"),
                "{line}"
            );
        }
        for line in [
            "list ws://a --server ws://b",
            "list http://a",
            "list a",
            "list --cafile x --insecure-tls",
        ] {
            assert_eq!(target(line), None, "{line}");
        }
    }
}
