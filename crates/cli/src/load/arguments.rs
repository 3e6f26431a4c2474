//! What `wigwag load` is told.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use wigwag_client::Trust;
use wigwag_receiver::{Counting, ReceiverSettings, VideoCodec};

use crate::client::Target;
use crate::header::{Headers, headers};

/// More than the ports of one address are good for.
const MAX_VIEWERS: usize = 10_000;
const MAX_PROCESSES: usize = 64;
/// The environment variable with the headers for a worker, as JSON.
const WORKER_HEADERS: &str = "WIGWAG_LOAD_HEADERS";
/// A day.
const MAX_TIME: Duration = Duration::from_secs(86_400);

const EXPLANATION: &str = "\
URL is the signalling server of the sender (ws or wss: that of wigwag serve, of gst-webrtc-signalling-server, or
one inside webrtcsink), or a WHEP endpoint (http or https).

Every viewer has a socket of its own, and does ICE, DTLS and RTCP as a browser does. --decrypt says what else:
  all       each decrypts what it gets, asks for lost packets to be sent again, and reports. Closest to
            browsers, and dearest
  none      each counts packets by their headers, which are not encrypted. The sender hears the same receiver
            reports, transport-wide feedback (so that its congestion control works as ever) and requests for key
            frames after a loss; but nothing is asked to be sent again, and what is counted is not authenticated
  sample:N  one in N as in all, the others as in none

If this machine cannot keep up, a warning says so: then spare it (--decrypt), share the work among processes
(--processes), or run it on another machine than the sender.

Exit codes: 0 every viewer got frames to the end, 1 some did not or there was an error, 2 a command line that makes
no sense.";

/// What `wigwag load` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXPLANATION)]
pub struct LoadArguments {
    /// Where the sender is found: ws, wss, http or https
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8443")]
    pub(super) target: Target,

    /// How many watch
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = viewers)]
    pub(super) viewers: usize,

    /// How long all of them watch, from the last join on: seconds, or with a unit (ms, s, m)
    #[arg(short, long, value_name = "TIME", default_value = "10", value_parser = seconds)]
    pub(super) seconds: Duration,

    /// From one join to the next, like 100ms; 0 has all join at once
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time)]
    pub(super) stagger: Duration,

    /// The address at which viewers receive media
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) bind: IpAddr,

    /// Whom to watch, by name or id; repeat it to share the viewers among several, by turns [default: the first that is
    /// listed]
    #[arg(long = "producer", value_name = "NAME|ID")]
    pub(super) producers: Vec<String>,

    /// How many processes share the work
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = processes)]
    pub(super) processes: usize,

    /// Who decrypts: all, none, or one in N
    #[arg(long, value_name = "all|sample:N|none", default_value_t = Decrypt::All)]
    pub(super) decrypt: Decrypt,

    /// The only codec of video to take
    #[arg(long, value_enum)]
    pub(super) codec: Option<Codec>,

    /// Authorities (PEM file) to trust with a wss or https server, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_tls")]
    pub(super) cafile: Option<PathBuf>,

    /// Takes whatever certificate the server shows
    #[arg(long)]
    pub(super) insecure_tls: bool,

    /// A header for the server, like "Authorization: Bearer TOKEN", or @FILE with a line for each; may be given several
    /// times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = headers)]
    headers: Vec<Headers>,

    /// Prints JSON: the summary, and what each viewer got
    #[arg(long)]
    pub(super) json: bool,

    /// Which of the processes this is; the first of them starts the others
    #[arg(long, hide = true)]
    pub(super) worker: Option<usize>,
}

/// Which viewers decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decrypt {
    All,
    Sample(usize),
    None,
}

/// A codec of video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Codec {
    Vp8,
    Vp9,
    H264,
    H265,
    Av1,
}

impl LoadArguments {
    /// Of each request to the server; of a worker, those in its environment.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        if self.worker.is_some() {
            let headers = std::env::var(WORKER_HEADERS).unwrap_or_default();
            return serde_json::from_str(&headers).unwrap_or_default();
        }
        let given = self.headers.iter().flat_map(|headers| headers.0.clone());
        let mut headers: Vec<_> = given.collect();
        let is_authorization =
            |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
        if let Some(credentials) = self.target.authorization()
            && !headers.iter().any(is_authorization)
        {
            headers.push(("authorization".to_owned(), credentials.to_owned()));
        }
        headers
    }

    /// The headers for a worker, as an environment variable: the list of processes shows command lines.
    pub(super) fn worker_environment(&self) -> (&'static str, String) {
        let headers = serde_json::to_string(&self.headers()).unwrap_or_default();
        (WORKER_HEADERS, headers)
    }

    pub(super) fn trust(&self) -> Trust {
        Trust {
            cafile: self.cafile.clone(),
            insecure_tls: self.insecure_tls,
        }
    }

    /// Whom a viewer watches.
    pub(super) fn producer(&self, viewer: usize) -> Option<&str> {
        let place = viewer.checked_rem(self.producers.len())?;
        Some(&self.producers[place])
    }

    pub(super) fn settings(&self, viewer: usize) -> ReceiverSettings {
        ReceiverSettings {
            counting: if self.decrypt.includes(viewer) {
                Counting::Decrypted
            } else {
                Counting::Headers
            },
            video_codec: self.codec.map(|codec| match codec {
                Codec::Vp8 => VideoCodec::Vp8,
                Codec::Vp9 => VideoCodec::Vp9,
                Codec::H264 => VideoCodec::H264,
                Codec::H265 => VideoCodec::H265,
                Codec::Av1 => VideoCodec::Av1,
            }),
        }
    }

    /// The command line of one of several processes.
    pub(super) fn for_worker(&self, worker: usize) -> Vec<String> {
        let mut all = vec!["load".to_owned(), self.target.to_string()];
        let mut option = |name: &str, value: String| all.push(format!("--{name}={value}"));
        option("viewers", self.viewers.to_string());
        option("seconds", format!("{}ms", self.seconds.as_millis()));
        option("stagger", format!("{}ms", self.stagger.as_secs_f64() * 1e3));
        option("bind", self.bind.to_string());
        option("processes", self.processes.to_string());
        option("decrypt", self.decrypt.to_string());
        option("worker", worker.to_string());
        for producer in &self.producers {
            option("producer", producer.clone());
        }
        if let Some(codec) = self.codec.and_then(|codec| codec.to_possible_value()) {
            option("codec", codec.get_name().to_owned());
        }
        if let Some(cafile) = &self.cafile {
            option("cafile", cafile.to_string_lossy().into_owned());
        }
        if self.insecure_tls {
            all.push("--insecure-tls".to_owned());
        }
        all
    }
}

impl Decrypt {
    pub(super) fn includes(self, viewer: usize) -> bool {
        match self {
            Self::All => true,
            Self::Sample(one_in) => viewer.is_multiple_of(one_in),
            Self::None => false,
        }
    }
}

impl FromStr for Decrypt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => {
                let sample = text.strip_prefix("sample:");
                let one_in = sample.and_then(|number| number.parse().ok());
                let one_in = one_in.filter(|one_in| *one_in > 0);
                one_in
                    .map(Self::Sample)
                    .ok_or("it is all, none, or like sample:20")
            }
        }
    }
}

impl fmt::Display for Decrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Sample(one_in) => write!(f, "sample:{one_in}"),
            Self::None => f.write_str("none"),
        }
    }
}

fn viewers(text: &str) -> Result<usize, String> {
    number(text, MAX_VIEWERS)
}

fn processes(text: &str) -> Result<usize, String> {
    number(text, MAX_PROCESSES)
}

fn number(text: &str, most: usize) -> Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {most}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() {
        return Err("in no time nothing comes".to_owned());
    }
    Ok(time)
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("ms") => 1e-3,
        Some("" | "s") => 1.0,
        Some("m") => 60.0,
        _ => return Err("its unit is ms, s or m".to_owned()),
    };
    let number: f64 = digits.parse().map_err(|_| "it is no number".to_owned())?;
    let time = Duration::try_from_secs_f64(number * unit).ok();
    let time = time.filter(|time| *time <= MAX_TIME);
    time.ok_or_else(|| format!("it is from 0 to {} s", MAX_TIME.as_secs()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        load: LoadArguments,
    }

    fn read(arguments: &[&str]) -> Result<LoadArguments, String> {
        let all = ["load"].iter().chain(arguments);
        let read = CommandLine::try_parse_from(all);
        Ok(read.map_err(|error| error.to_string())?.load)
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("0", 0),
            ("1.5", 1_500),
            ("20ms", 20),
            ("2s", 2_000),
            ("1m", 60_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "1h", "x", "nan", "inf", "1e9", "86401"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for arguments in [
            ["--viewers", "0"],
            ["--viewers", "10001"],
            ["--processes", "65"],
            ["--seconds", "0"],
            ["--seconds", "2m1"],
            ["--decrypt", "sample:0"],
            ["--decrypt", "some"],
            ["--bind", "nowhere"],
            ["--codec", "mpeg2"],
        ] {
            assert!(read(&arguments).is_err(), "{arguments:?}");
        }
        assert!(read(&["ftp://x"]).is_err());
        assert!(read(&["--cafile", "x", "--insecure-tls"]).is_err());
    }

    #[test]
    fn a_process_is_told_what_the_first_was_told() {
        let told = [
            "wss://cam.example/x?y=1",
            "--viewers=30",
            "--seconds=1.5",
            "--stagger=12.5ms",
            "--bind=::1",
            "--producer=--odd",
            "--producer=door",
            "--processes=3",
            "--decrypt=sample:7",
            "--codec=h264",
            "--insecure-tls",
        ];
        let first = read(&told).expect("a command line");
        let passed = first.for_worker(2);
        let passed: Vec<_> = passed[1..].iter().map(String::as_str).collect();
        let mut other = read(&passed).expect("a command line");
        assert_eq!(other.worker.take(), Some(2));
        assert_eq!(format!("{other:?}"), format!("{first:?}"));
    }

    #[test]
    fn viewers_are_shared_among_producers_by_turns() {
        let load = read(&["--producer=a", "--producer=b"]).expect("a command line");
        let watched: Vec<_> = (0..3).map(|viewer| load.producer(viewer)).collect();
        assert_eq!(watched, [Some("a"), Some("b"), Some("a")]);
        let load = read(&[]).expect("a command line");
        assert_eq!(load.producer(0), None);
    }

    #[test]
    fn a_sample_decrypts() {
        let decrypts = |decrypt: Decrypt| (0..6).filter(|viewer| decrypt.includes(*viewer)).count();
        assert_eq!(decrypts(Decrypt::All), 6);
        assert_eq!(decrypts(Decrypt::Sample(4)), 2);
        assert_eq!(decrypts(Decrypt::None), 0);
    }
}
