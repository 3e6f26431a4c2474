//! What INPUT means.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::address::Address;

/// Schemes of what is delivered as it happens, whichever end connects.
const LIVE_SCHEMES: [&str; 12] = [
    "mms", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtp", "srt", "tcp", "udp", "ndi", "unix",
];

/// What `v4l2` means without a device.
const DEFAULT_CAMERA: &str = "/dev/video0";

/// Where pictures and sound come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A test picture and a tone.
    Test,
    /// The camera with this device.
    Camera(PathBuf),
    /// A file on this machine.
    File(PathBuf),
    /// A server of RTSP.
    Rtsp(Address),
    /// Anything else that GStreamer reads.
    Uri(Address),
}

/// Why an input cannot be used; one line, for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("no file {}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{address} cannot be read: {reason}")]
    Address {
        /// As it may be shown.
        address: String,
        reason: &'static str,
    },
    #[error("no camera at {}: {reason}{}", path.display(), cameras(.found))]
    Camera {
        path: PathBuf,
        reason: String,
        found: Vec<PathBuf>,
    },
}

impl Input {
    /// Tells what a text means; looks at no file yet.
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let scheme = text
            .split_once("://")
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        Ok(match scheme.as_deref() {
            _ if text == "test" => Self::Test,
            _ if text == "v4l2" => Self::Camera(DEFAULT_CAMERA.into()),
            Some("v4l2") => Self::Camera(text["v4l2://".len()..].into()),
            Some("file") => Self::File(file_of_uri(text)?),
            Some("rtsp" | "rtsps" | "rtspt" | "rtspu" | "rtsph" | "rtsp-sdp") => {
                Self::Rtsp(Address::parse(text))
            }
            Some(_) => Self::Uri(Address::parse(text)),
            None if text.starts_with("/dev/video") || text.starts_with("/dev/v4l/") => {
                Self::Camera(text.into())
            }
            None => Self::File(text.into()),
        })
    }

    /// Says early what would go wrong late, in words that name the remedy.
    pub(crate) fn check(&self) -> Result<(), InputError> {
        match self {
            Self::File(path) => {
                let failed = |reason: &str| InputError::File {
                    path: path.clone(),
                    reason: reason.to_owned(),
                };
                let file = File::open(path).map_err(|error| failed(&in_words(&error)))?;
                if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(failed("it is a folder"));
                }
                Ok(())
            }
            Self::Camera(path) => {
                let failed = |reason: &str| InputError::Camera {
                    path: path.clone(),
                    reason: reason.to_owned(),
                    found: present_cameras(Path::new("/dev")),
                };
                let device = File::open(path).map_err(|error| failed(&in_words(&error)))?;
                if device.metadata().is_ok_and(|device| !is_video(&device)) {
                    return Err(failed("it is something else"));
                }
                Ok(())
            }
            Self::Uri(address) if address.scheme() == "tcp" => {
                let reason = if address.port().is_none_or(|port| port == 0) {
                    "it names no valid port; write tcp://host:port, or tcp://:port to listen"
                } else if address.credentials().is_some() {
                    "there are no passwords in tcp"
                } else {
                    return Ok(());
                };
                Err(InputError::Address {
                    address: address.to_string(),
                    reason,
                })
            }
            Self::Test | Self::Rtsp(_) | Self::Uri(_) => Ok(()),
        }
    }

    /// What viewers read unless told otherwise.
    pub(crate) fn default_name(&self) -> String {
        let named = match self {
            Self::Test => None,
            Self::Camera(path) | Self::File(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            Self::Rtsp(address) | Self::Uri(address) => address.host().map(str::to_owned),
        };
        named.unwrap_or_else(|| "test".to_owned())
    }

    /// Whether it delivers at its own pace; none if only it can tell.
    pub(crate) fn is_live(&self) -> Option<bool> {
        match self {
            Self::Test | Self::Camera(_) | Self::Rtsp(_) => Some(true),
            Self::File(_) => Some(false),
            Self::Uri(address) => LIVE_SCHEMES.contains(&address.scheme()).then_some(true),
        }
    }

    /// Whether it waits for somebody who sends, rather than to ask for what it gets.
    pub(crate) fn is_listener(&self) -> bool {
        match self {
            Self::Uri(address) => match address.scheme() {
                "udp" | "rtp" => true,
                "srt" => address
                    .query("mode")
                    .map_or_else(|| address.host().is_none(), |mode| mode == "listener"),
                "tcp" => address.host().is_none() || address.has_switch("listen"),
                _ => false,
            },
            Self::Test | Self::Camera(_) | Self::File(_) | Self::Rtsp(_) => false,
        }
    }
}

/// As messages name it: without what might be secret.
impl fmt::Display for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => formatter.write_str("test"),
            Self::Camera(path) | Self::File(path) => path.display().fmt(formatter),
            Self::Rtsp(address) | Self::Uri(address) => address.fmt(formatter),
        }
    }
}

/// The path of a `file://` URI (RFC 8089), with its percent signs read.
fn file_of_uri(uri: &str) -> Result<PathBuf, InputError> {
    let read = gstreamer::glib::filename_from_uri(uri);
    let (path, _host) = read.map_err(|error| InputError::File {
        path: uri.into(),
        reason: error.message().to_owned(),
    })?;
    Ok(path)
}

/// Whether it is a device of Linux's video drivers, by its major number
/// (kernel.org, admin-guide/devices.txt).
fn is_video(device: &fs::Metadata) -> bool {
    const VIDEO_MAJOR: u64 = 81;
    device.file_type().is_char_device() && (device.rdev() >> 8) & 0xfff == VIDEO_MAJOR
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

fn present_cameras(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("video"))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn cameras(found: &[PathBuf]) -> String {
    if found.is_empty() {
        return "; no other is connected".to_owned();
    }
    let found: Vec<_> = found
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!("; there are {}", found.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Input {
        Input::parse(text).expect("an input")
    }

    #[test]
    fn inputs_are_what_they_look_like() {
        assert_eq!(parse("test"), Input::Test);
        assert_eq!(parse("./test"), Input::File("./test".into()));
        assert_eq!(parse("v4l2"), Input::Camera("/dev/video0".into()));
        assert_eq!(parse("/dev/video2"), Input::Camera("/dev/video2".into()));
        assert_eq!(
            parse("/dev/v4l/by-id/desk"),
            Input::Camera("/dev/v4l/by-id/desk".into())
        );
        assert_eq!(
            parse("v4l2:///dev/video1"),
            Input::Camera("/dev/video1".into())
        );
        assert_eq!(
            parse("file:///tmp/a%20b.mkv"),
            Input::File("/tmp/a b.mkv".into())
        );
        assert_eq!(
            parse("RTSP://x/y"),
            Input::Rtsp(Address::parse("RTSP://x/y"))
        );
        assert_eq!(
            parse("http://x/y"),
            Input::Uri(Address::parse("http://x/y"))
        );
        assert_eq!(parse("a:b.mkv"), Input::File("a:b.mkv".into()));
    }

    #[test]
    fn names_are_those_of_the_file_or_the_host() {
        let name = |text| parse(text).default_name();
        assert_eq!(name("test"), "test");
        assert_eq!(name("/home/me/Holiday.mp4"), "Holiday.mp4");
        assert_eq!(
            name("rtsp://user:secret@camera.local:554/1"),
            "camera.local"
        );
        assert_eq!(name("rtsp://[2001:db8::1]:554/1"), "[2001:db8::1]");
        assert_eq!(name("srt://:7001"), "test");
        assert_eq!(name("/dev/video0"), "video0");
    }

    #[test]
    fn source_that_waits_for_a_sender_is_a_listener() {
        let is_listener = |text| parse(text).is_listener();
        assert!(is_listener("udp://0.0.0.0:5004"));
        assert!(is_listener("srt://:7001"));
        assert!(is_listener("srt://0.0.0.0:7001?latency=50&mode=listener"));
        assert!(!is_listener("srt://camera.local:7001"));
        assert!(!is_listener("tcp://camera.local:7001"));
        assert!(is_listener("tcp://:7001"));
        assert!(is_listener("tcp://127.0.0.1:7001?listen"));
        assert_eq!(parse("SRT://camera.local:7001").is_live(), Some(true));
        assert_eq!(parse("http://camera.local/x").is_live(), None);
    }

    #[test]
    fn tcp_address_that_cannot_be_right_is_refused() {
        for (bad, reason) in [
            ("tcp://", "no valid port"),
            ("tcp://host", "no valid port"),
            ("tcp://host:99999", "no valid port"),
            ("tcp://:0", "no valid port"),
            ("tcp://user:secret@host:1", "no passwords"),
        ] {
            let error = parse(bad).check().expect_err("refused").to_string();
            assert!(
                error.contains(reason) && !error.contains("secret"),
                "{error}"
            );
        }
        assert!(parse("tcp://[::1]:7001").check().is_ok());
        assert!(!parse("tcp://127.0.0.1:7001?listen=0").is_listener());
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |text| parse(text).to_string();
        assert_eq!(
            shown("rtsp://user:p@ss@camera.local/live?token=x"),
            "rtsp://camera.local/live"
        );
        assert_eq!(shown("http://host"), "http://host");
    }

    #[test]
    fn what_is_not_there_is_said_in_one_line() {
        let error = |text| parse(text).check().expect_err("not there").to_string();
        assert_eq!(
            error("/nowhere/clip.mp4"),
            "no file /nowhere/clip.mp4: it does not exist"
        );
        assert_eq!(error("/tmp"), "no file /tmp: it is a folder");
        let camera = error("/dev/video99");
        assert!(
            camera.starts_with("no camera at /dev/video99: it does not exist; "),
            "{camera}"
        );
        let camera = error("v4l2:///dev/null");
        assert!(
            camera.starts_with("no camera at /dev/null: it is something else; "),
            "{camera}"
        );
    }
}
