//! What a process tells the first one, a line of JSON each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    /// How it goes, some times a second.
    Progress(Progress),
    /// What a viewer got.
    Viewer(ViewerRecord),
    /// What the process took; the last line.
    Process(ProcessRecord),
}

/// How it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) elapsed: f64,
    pub(super) joined: usize,
    pub(super) watching: usize,
    pub(super) failed: usize,
}

/// What one viewer got. Times are in milliseconds from the beginning of its call: before it reaches the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ViewerRecord {
    /// From 0.
    pub(super) viewer: usize,
    pub(super) process: usize,
    pub(super) decrypted: bool,
    /// When media could flow: ICE and DTLS are done.
    pub(super) connected_ms: Option<f64>,
    /// When the first whole frame was there.
    pub(super) first_frame_ms: Option<f64>,
    /// Whole frames of the first stream of video, or of the first stream if there is none of video.
    pub(super) frames: u64,
    /// Those of which it is known that one can begin with them.
    pub(super) key_frames: u64,
    /// From the first frame to the end.
    pub(super) frames_per_second: f64,
    /// The longest time without a whole frame, from the first one to the end.
    pub(super) worst_gap_ms: f64,
    /// Of all streams, without those that came twice.
    pub(super) packets: u64,
    /// Packets that never came.
    pub(super) lost: u64,
    /// Of payload.
    pub(super) bytes: u64,
    /// Each by itself, in the order in which they began.
    #[serde(default)]
    pub(super) streams: Vec<StreamRecord>,
    /// Why it did not watch to the end.
    pub(super) failure: Option<String>,
}

/// What one viewer got of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StreamRecord {
    /// The name of its section (`a=mid`), as the sender chose it, and of its encoding (`a=rid`) behind a colon if it has one.
    pub(super) mid: String,
    /// `video` or `audio`.
    pub(super) kind: String,
    /// Without those that came twice.
    pub(super) packets: u64,
    /// Packets that never came.
    pub(super) lost: u64,
    /// Of payload.
    pub(super) bytes: u64,
    /// Whole frames; of audio, packets.
    pub(super) frames: u64,
    /// Those of which it is known that one can begin with them.
    pub(super) key_frames: u64,
}

/// What one process took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessRecord {
    pub(super) process: usize,
    /// Processor time in all, and of the thread that took the most.
    pub(super) cpu_seconds: Option<f64>,
    /// After the last join, when all had a frame or failed.
    pub(super) steady: Option<Steady>,
    /// Datagrams that the system dropped because they were not read in time.
    pub(super) dropped_datagrams: Option<u64>,
}

/// What was taken and got while nobody joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Steady {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
    /// The share of the time in which the busiest thread ran, from 0 to 1.
    pub(super) busiest_thread: f64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

pub(super) fn millis(time: Duration) -> f64 {
    // A tenth is finer than anything that is measured.
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
