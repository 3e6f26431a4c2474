//! An input, the name it is published under, and how it is treated.

use super::input::Input;
use super::output_settings::{Latency, Transcode};
use super::source_settings::SourceSettings;

/// One camera, as a file or the command line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Camera {
    pub(crate) named: Named,
    pub(crate) sources: SourceSettings,
    pub(crate) latency: Latency,
    pub(crate) transcode: Transcode,
    pub(crate) max_bitrate: Option<u32>,
    /// None leaves it to the sink.
    pub(crate) max_viewers: Option<u32>,
}

/// An input and the name it is published under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) input: Input,
}
