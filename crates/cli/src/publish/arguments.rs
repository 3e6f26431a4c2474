//! What `wigwag publish` is told.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wigwag_server::{AllowedHost, AllowedOrigin};

use super::bitrate::bitrate;
use super::camera::{Camera, Named};
use super::input::{Input, InputError};
use super::input_file::{InputFileError, first_line};
use super::network::{NetworkSettings, RtspTransport};
use super::output_settings::{Latency, OutputSettings, Transcode};
use super::source_settings::SourceSettings;
use crate::header::{Headers, headers};

/// The published server's port.
const PORT: u16 = 8443;

const EXAMPLES: &str = "\
INPUT is one of
  test                a moving picture with a clock, and a soft tone every second
  FILE                whatever GStreamer plays; its end is the end, unless --loop is given
  v4l2, /dev/video0   a camera
  rtsp://...          a network camera; lost connections are made again for ever
  http://.../x.jpg    a camera that gives one picture at a time: asked again every second
  URI                 anything else that GStreamer plays (http, srt, udp ...); live ones are called again too

H.264, H.265, VP8, VP9, AV1, Opus and G.711 are passed through as they are. What not every browser shows (B-frames,
more than 8 bits, other chroma than 4:2:0, interlaced) and everything else is encoded, once for all viewers, at the rate
that their networks take; and so is, for those who need it, what a browser does not take, or has no key frame soon.

Examples:
  wigwag publish test --embed
  wigwag publish holiday.mp4 --loop --name Holiday
  wigwag publish rtsp://camera.local/stream --server wss://example.org:8443
  wigwag publish --input /dev/video0 --name Desk --input test --name Test

Exit codes: 0 the end, 1 an error, 2 a command line that makes no sense.";

/// What `wigwag publish` is told.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct PublishArguments {
    /// What to publish: test, a file, v4l2 or /dev/video0, rtsp://..., or any URI that GStreamer plays; several are published
    /// side by side
    #[arg(value_name = "INPUT", required_unless_present_any = ["more_inputs", "input_files", "config"])]
    inputs: Vec<String>,

    /// Another input; may be given several times
    #[arg(long = "input", value_name = "INPUT")]
    more_inputs: Vec<String>,

    /// The name to publish under; with several inputs once for each, in their order [default: the
    /// file's name, the URI's host, the camera's device, or "test"]
    #[arg(long = "name", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    names: Vec<String>,

    /// A file whose first line is another input, after all others: an address with a password stays out of the list of
    /// processes; may be given several times
    #[arg(long = "input-file", value_name = "FILE")]
    input_files: Vec<PathBuf>,

    /// Many cameras, listed in this file (TOML), which is read again when it changes; docs/publish.md has the keys
    #[arg(long, value_name = "FILE", conflicts_with_all = ["inputs", "more_inputs", "input_files", "names"])]
    pub(crate) config: Option<PathBuf>,

    /// The signalling server
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:8443", value_parser = server, conflicts_with = "embed")]
    pub(crate) server: String,

    /// Authorities (PEM file) to trust with a wss server, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["insecure_tls", "embed"])]
    pub(crate) cafile: Option<PathBuf>,

    /// Takes whatever certificate the server shows
    #[arg(long, conflicts_with = "embed")]
    pub(crate) insecure_tls: bool,

    /// A header for the server, like "Authorization: Bearer TOKEN", or @FILE with a line for each; may be given several
    /// times. `user:password@` in its address becomes one too
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = headers, conflicts_with = "embed")]
    headers: Vec<Headers>,

    /// Begins again at the end of a file; viewers stay
    #[arg(long = "loop")]
    repeat: bool,

    /// A live source of which no picture or no sound comes for so long is called again, such as 10s; 0: it is
    /// waited for
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    source_timeout: Duration,

    /// How often in a row a source that fails is called again, at most every 15 s [default: for ever]
    #[arg(long, value_name = "TIMES")]
    retry: Option<u32>,

    /// Certificates (PEM file) to trust of rtsps and https sources besides the system's authorities: of authorities, or
    /// a camera's own
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_source_tls")]
    source_cafile: Option<PathBuf>,

    /// Takes whatever certificate rtsps and https sources show
    #[arg(long)]
    insecure_source_tls: bool,

    /// How media comes from RTSP cameras: "tcp" loses nothing, "udp" never waits; "auto" is UDP, and TCP if
    /// nothing comes or too much is lost
    #[arg(long, value_name = "TRANSPORT", value_enum, default_value_t)]
    rtsp_transport: RtspTransport,

    /// Runs a signalling server with the page for viewers, and publishes there; GET /snapshot/NAME.jpg is one JPEG picture
    #[arg(long)]
    pub(crate) embed: bool,

    /// The port of that server; 0 lets the system choose one, which is printed
    #[arg(short, long, default_value_t = PORT, requires = "embed")]
    pub(crate) port: u16,

    /// Where that server listens ("::" is every address, IPv4 and IPv6)
    #[arg(long, default_value = "0.0.0.0", requires = "embed")]
    pub(crate) host: String,

    /// Lets browsers connect to that server from pages of this origin too, such as `https://example.org`, besides those of
    /// the same host and of the browser's machine; "*": from any; repeat it, or use commas
    #[arg(
        long = "allowed-origin",
        value_name = "ORIGIN",
        value_delimiter = ',',
        requires = "embed"
    )]
    pub(crate) allowed_origins: Vec<AllowedOrigin>,

    /// Lets browsers ask for that server by this name too, such as `cam.example.org` or `*.example.org`, besides addresses
    /// and the names of this machine; repeat it, or use commas
    #[arg(
        long = "allowed-host",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "embed"
    )]
    pub(crate) allowed_hosts: Vec<AllowedHost>,

    /// A STUN server, stun://host:port, by which viewers reach this machine behind a router [default: none]
    #[arg(long, value_name = "URL", value_parser = stun_server)]
    pub(crate) stun_server: Option<String>,

    /// The highest rate of an encoder, bit/s, like 800k or 2.5M; does not concern what is passed through
    #[arg(long, value_name = "RATE", value_parser = bitrate)]
    pub(crate) max_bitrate: Option<u32>,

    /// How many viewers an input has at most; one more is refused with a reason; 0: any number [default: 200]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_viewers: Option<u32>,

    /// What viewers of a live source get: "low", pictures as soon as they come, or "smooth", held back a
    /// little so that an uneven network does not show; a file is always played smoothly
    #[arg(long, value_name = "LATENCY", value_enum, default_value_t)]
    pub(crate) latency: Latency,

    /// Whether what comes encoded is transcoded for viewers that cannot show it as it comes, or wait long for
    /// the source's next key frame
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub(crate) transcode: Transcode,
}

/// What is wrong with the command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("{names} names for {inputs} inputs")]
    MoreNamesThanInputs { names: usize, inputs: usize },
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    InputFile(#[from] InputFileError),
}

impl PublishArguments {
    /// The inputs, each with what is done with it.
    pub(crate) fn cameras(&self) -> Result<Vec<Camera>, ArgumentError> {
        let cameras = self.named_inputs()?.into_iter().map(|named| Camera {
            named,
            sources: self.sources(),
            latency: self.latency,
            transcode: self.transcode,
            max_bitrate: self.max_bitrate,
            max_viewers: self.max_viewers,
        });
        Ok(cameras.collect())
    }

    /// The settings of outputs.
    pub(crate) fn output(&self) -> OutputSettings {
        OutputSettings {
            server: self.server.clone(),
            headers: self
                .headers
                .iter()
                .flat_map(|headers| headers.0.clone())
                .collect(),
            cafile: self.cafile.clone(),
            insecure_tls: self.insecure_tls,
            stun_server: self.stun_server.clone(),
            max_bitrate: self.max_bitrate,
            max_viewers: self.max_viewers,
            latency: self.latency,
            transcode: self.transcode,
        }
    }

    /// What is done with sources.
    fn sources(&self) -> SourceSettings {
        SourceSettings {
            repeat: self.repeat,
            timeout: (!self.source_timeout.is_zero()).then_some(self.source_timeout),
            retry: self.retry,
            on_demand: false,
            is_one_of_many: false,
            network: NetworkSettings {
                cafile: self.source_cafile.clone(),
                insecure_tls: self.insecure_source_tls,
                transport: self.rtsp_transport,
            },
        }
    }

    /// The inputs in their order, each with a name of its own.
    pub(crate) fn named_inputs(&self) -> Result<Vec<Named>, ArgumentError> {
        let inputs = self.inputs.iter().chain(&self.more_inputs);
        let mut inputs: Vec<_> = inputs
            .map(|input| Input::parse(input))
            .collect::<Result<_, _>>()?;
        for path in &self.input_files {
            inputs.push(Input::parse(&first_line(path)?)?);
        }
        if self.names.len() > inputs.len() {
            return Err(ArgumentError::MoreNamesThanInputs {
                names: self.names.len(),
                inputs: inputs.len(),
            });
        }
        let mut named: Vec<Named> = Vec::new();
        for (place, input) in inputs.into_iter().enumerate() {
            let name = self.names.get(place).cloned();
            let name = name.unwrap_or_else(|| unused(&named, &input.default_name()));
            named.push(Named { name, input });
        }
        Ok(named)
    }
}

/// The name, with a number if another input has it.
fn unused(named: &[Named], name: &str) -> String {
    let is_used = |candidate: &str| named.iter().any(|other| other.name == candidate);
    if !is_used(name) {
        return name.to_owned();
    }
    (2..)
        .map(|number: usize| format!("{name} {number}"))
        .find(|candidate| !is_used(candidate))
        .unwrap_or_default()
}

fn server(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("ws://")
        .or_else(|| text.strip_prefix("wss://"));
    let authority = host.and_then(|host| host.split(['/', '?', '#']).next());
    let authority = authority.and_then(|authority| authority.rsplit('@').next());
    match authority {
        Some(authority) if is_host_and_port(authority) => Ok(text.to_owned()),
        _ => Err("write it like ws://127.0.0.1:8443 or wss://example.org:8443"),
    }
}

fn stun_server(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("stun://")
        .or_else(|| text.strip_prefix("stun:"));
    match host {
        Some(host) if is_host_and_port(host) => Ok(text.to_owned()),
        _ => Err("write it like stun://example.org:3478"),
    }
}

/// Whether it is a host, and a port if there is a colon (RFC 3986, section 3.2); addresses of IPv6 are in brackets.
fn is_host_and_port(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    let (host_is_fine, rest) = match bracketed {
        Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest),
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let strange = |letter: char| letter.is_whitespace() || "/?#[]@\\".contains(letter);
            (!host.is_empty() && !host.contains(strange), rest)
        }
    };
    let port_is_fine = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => rest.is_empty(),
    };
    host_is_fine && port_is_fine
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        publish: PublishArguments,
    }

    fn parse(line: &str) -> Result<PublishArguments, clap::Error> {
        Command::try_parse_from(line.split(' ')).map(|command| command.publish)
    }

    fn names(line: &str) -> Vec<String> {
        let named = parse(line)
            .expect("a good line")
            .named_inputs()
            .expect("inputs");
        named.into_iter().map(|named| named.name).collect()
    }

    #[test]
    fn names_are_given_in_order_and_never_twice() {
        assert_eq!(names("publish test"), ["test"]);
        assert_eq!(names("publish test --name Yard"), ["Yard"]);
        let several = "publish test --input test --input rtsp://u:p@camera.local:554/x";
        assert_eq!(names(several), ["test", "test 2", "camera.local"]);
        assert_eq!(
            names("publish test a.mkv --input rtsp://b --name A"),
            ["A", "a.mkv", "b"]
        );
        assert_eq!(
            names("publish --input test --name A --input test"),
            ["A", "test"]
        );
        let arguments = parse("publish test --name A --name B").expect("a good line");
        assert!(matches!(
            arguments.named_inputs(),
            Err(ArgumentError::MoreNamesThanInputs {
                names: 2,
                inputs: 1
            })
        ));
    }

    #[test]
    fn lines_that_make_no_sense_are_refused() {
        for line in [
            "publish",
            "publish test --server http://x",
            "publish test --embed --server ws://x",
            "publish test --port 5",
            "publish test --allowed-host cam.example",
            "publish test --embed --allowed-host http://cam.example",
            "publish test --embed --allowed-origin cam.example",
            "publish test --stun-server turn://x",
            "publish test --max-bitrate fast",
            "publish test --max-bitrate 5",
            "publish test --max-viewers -1",
            "publish test --cafile x --insecure-tls",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("publish test --embed --port 0").is_ok());
        let line =
            "publish test --embed --allowed-host a.example,*.b.example --allowed-origin null";
        let arguments = parse(line).expect("a good line");
        assert_eq!(arguments.allowed_hosts.len(), 2);
        assert_eq!(arguments.allowed_origins.len(), 1);
        let arguments = parse("publish test --max-viewers 0").expect("a good line");
        assert_eq!(arguments.output().max_viewers, Some(0));
    }

    #[test]
    fn addresses_of_servers_have_a_host_and_a_port_that_is_one() {
        for good in ["a", "a:1", "127.0.0.1:3478", "[::1]", "[2001:db8::1]:3478"] {
            assert!(is_host_and_port(good), "{good}");
        }
        for bad in [
            "", ":1", "a:", "a:0", "a:65536", "a:b", "a:1:2", "[::1", "[x]:1", "[::1]1", "a/b",
            "a b",
        ] {
            assert!(!is_host_and_port(bad), "{bad}");
        }
        assert!(server("wss://example.org:8443/path?query").is_ok());
        assert!(server("wss://[::1]:8443").is_ok());
        assert!(server("wss://user:password@example.org:8443").is_ok());
        assert!(server("wss:///path").is_err());
        assert!(stun_server("stun:example.org").is_ok());
        assert!(stun_server("stun://example.org:3478/").is_err());
    }
}
