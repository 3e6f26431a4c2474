//! What is done with the outputs of inputs.

use std::path::PathBuf;

/// The settings of an output.
#[derive(Clone, Debug)]
pub(crate) struct OutputSettings {
    pub(crate) server: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cafile: Option<PathBuf>,
    pub(crate) insecure_tls: bool,
    pub(crate) stun_server: Option<String>,
    pub(crate) max_bitrate: Option<u32>,
    /// None leaves it to the sink; 0 is for no limit.
    pub(crate) max_viewers: Option<u32>,
    pub(crate) latency: Latency,
    pub(crate) transcode: Transcode,
}

/// Whether what comes encoded is transcoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transcode {
    /// For viewers that need it.
    #[default]
    WhenNeeded,
    /// Everybody gets it as it comes, or not at all.
    Never,
}

/// What viewers of a live source get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Latency {
    /// Pictures as soon as they come.
    #[default]
    Low,
    /// Pictures held back a little.
    Smooth,
}
