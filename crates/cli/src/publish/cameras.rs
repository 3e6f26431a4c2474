//! Many cameras, listed in a file (`--config`): what each is called, where it is, and how it is treated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::bitrate::bitrate;
use super::camera::{Camera, Named};
use super::input::Input;
use super::input_file::first_line;
use super::network::{NetworkSettings, RtspTransport};
use super::output_settings::{Latency, Transcode};
use super::source_settings::{SOURCE_TIMEOUT, SourceSettings};
use crate::bounded_file::read_at_most;

/// Cameras in a file.
pub(crate) const MAX_CAMERAS: usize = 256;

const MAX_FILE_BYTES: u64 = 1 << 20;

/// How often the file is looked at.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What is wrong with a file of cameras; one line, for the user.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub(crate) struct CamerasError {
    path: PathBuf,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    camera: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of its own")]
struct Entry {
    name: String,
    input: Option<String>,
    input_file: Option<PathBuf>,
    #[serde(default)]
    on_demand: bool,
    #[serde(default, rename = "loop")]
    repeat: bool,
    source_timeout: Option<String>,
    retry: Option<u32>,
    source_cafile: Option<PathBuf>,
    #[serde(default)]
    insecure_source_tls: bool,
    #[serde(default)]
    rtsp_transport: RtspTransport,
    #[serde(default)]
    latency: Latency,
    #[serde(default)]
    transcode: Transcode,
    max_bitrate: Option<String>,
    max_viewers: Option<u32>,
}

/// A file of cameras, to be read again when it changes.
#[derive(Debug)]
pub(crate) struct CamerasFile {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
}

impl CamerasFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: None,
        }
    }

    /// Reads the cameras.
    pub(crate) fn read(&mut self) -> Result<Vec<Camera>, CamerasError> {
        self.seen = self.stamp();
        let failed = |reason: String| CamerasError {
            path: self.path.clone(),
            reason,
        };
        let text =
            read_at_most(&self.path, MAX_FILE_BYTES).map_err(|error| failed(error.to_string()))?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new(""));
        parse(&text, folder).map_err(failed)
    }

    /// Whether it is another than was read last.
    pub(crate) fn has_changed(&self) -> bool {
        let stamp = self.stamp();
        stamp.is_some() && stamp != self.seen
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}

/// Reads the text of such a file; names of files in it are relative to the folder.
fn parse(text: &str, folder: &Path) -> Result<Vec<Camera>, String> {
    // The text of a line may hold a password: only where it is wrong is said.
    let list: List = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text[..span.start].lines().count().max(1));
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        format!("{place}{}", error.message())
    })?;
    if list.camera.len() > MAX_CAMERAS {
        return Err(format!("more than {MAX_CAMERAS} cameras"));
    }
    let mut names = BTreeSet::new();
    let cameras = list.camera.into_iter().map(|entry| {
        let name = entry.name.clone();
        if name.is_empty() || !names.insert(name.clone()) {
            return Err(format!("the name \"{name}\" is empty or not the only one"));
        }
        entry
            .into_camera(folder)
            .map_err(|reason| format!("\"{name}\": {reason}"))
    });
    cameras.collect()
}

impl Entry {
    fn into_camera(self, folder: &Path) -> Result<Camera, String> {
        let input = match (self.input, self.input_file) {
            (Some(input), None) => input,
            (None, Some(file)) => {
                first_line(&folder.join(file)).map_err(|error| error.to_string())?
            }
            _ => return Err("it has either input or input_file".to_owned()),
        };
        let input = match Input::parse(&input).map_err(|error| error.to_string())? {
            Input::File(path) => Input::File(folder.join(path)),
            input => input,
        };
        if self.on_demand && matches!(input, Input::File(_) | Input::Test) {
            return Err("on_demand is for live sources".to_owned());
        }
        let timeout = match &self.source_timeout {
            Some(text) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
            None => SOURCE_TIMEOUT,
        };
        let max_bitrate = self.max_bitrate.as_deref().map(bitrate).transpose()?;
        Ok(Camera {
            named: Named {
                name: self.name,
                input,
            },
            sources: SourceSettings {
                repeat: self.repeat,
                timeout: (!timeout.is_zero()).then_some(timeout),
                retry: self.retry,
                on_demand: self.on_demand,
                is_one_of_many: true,
                network: NetworkSettings {
                    cafile: self.source_cafile.map(|path| folder.join(path)),
                    insecure_tls: self.insecure_source_tls,
                    transport: self.rtsp_transport,
                },
            },
            latency: self.latency,
            transcode: self.transcode,
            max_bitrate,
            max_viewers: self.max_viewers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Camera>, String> {
        parse(text, Path::new("/etc/wigwag"))
    }

    #[test]
    fn cameras_are_read_with_their_options() {
        let cameras = read(
            r#"
            [[camera]]
            name = "Gate"
            input = "rtsp://admin:p#s@10.0.0.7/1"
            on_demand = true
            source_timeout = "5s"
            rtsp_transport = "tcp"
            latency = "smooth"
            max_bitrate = "2M"
            max_viewers = 30

            [[camera]]
            name = "Clip"
            input = "clip.mp4"
            loop = true
            source_cafile = "ca.pem"
            "#,
        )
        .expect("two cameras");
        let [gate, clip] = cameras.as_slice() else {
            panic!("{cameras:?}");
        };
        assert_eq!(gate.named.input.to_string(), "rtsp://10.0.0.7/1");
        assert!(gate.sources.on_demand);
        assert_eq!(gate.sources.timeout, Some(Duration::from_secs(5)));
        assert_eq!(gate.sources.network.transport, RtspTransport::Tcp);
        assert_eq!(
            (gate.latency, gate.max_bitrate, gate.max_viewers),
            (Latency::Smooth, Some(2_000_000), Some(30))
        );
        assert_eq!(clip.named.input, Input::File("/etc/wigwag/clip.mp4".into()));
        let cafile = clip.sources.network.cafile.as_deref();
        assert_eq!(cafile, Some(Path::new("/etc/wigwag/ca.pem")));
        assert!(clip.sources.repeat);
        assert_eq!(clip.max_viewers, None);
        assert!(read("").expect("none").is_empty());
    }

    #[test]
    fn mistake_is_said_with_its_place_and_without_what_may_be_secret() {
        for (text, reason) in [
            ("[[camera]]\nname = \"a\"", "either input or input_file"),
            ("[[camera]]\ninput = \"test\"", "name"),
            (
                "[[camera]]\nname = \"a\"\ninput = \"test\"\n[[camera]]\nname = \"a\"\ninput = \"test\"",
                "not the only one",
            ),
            (
                "[[camera]]\nname = \"a\"\ninput = \"test\"\non_demand = true",
                "live sources",
            ),
            (
                "[[camera]]\nname = \"a\"\ninput = \"rtsp://u:zebra@h\"\nspeed = 1",
                "speed",
            ),
            (
                "[[camera]]\nname = \"a\"\ninput = \"rtsp://u:zebra@h",
                "line 3",
            ),
        ] {
            let error = read(text).expect_err(reason);
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("zebra"), "{error}");
        }
        let many = "[[camera]]\nname = \"a\"\ninput = \"test\"\n".repeat(MAX_CAMERAS + 1);
        assert!(read(&many).expect_err("too many").contains("more than"));
    }
}
