//! A packet of media as it came, and what its sender says of time.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// A packet of a track, decrypted; one that was sent a second time (RTX) looks as it did the first time.
#[derive(Clone, Debug)]
pub struct ReceivedPacket {
    /// The name of its section (`a=mid`).
    pub mid: Arc<str>,
    /// The name of its encoding (`a=rid`), if the track is sent in several at once.
    pub rid: Option<Arc<str>>,
    /// Its source.
    pub ssrc: u32,
    /// One of the track's formats.
    pub payload_type: u8,
    /// Its sequence number, which does not begin again at 2^16.
    pub sequence: u64,
    /// Its RTP time, in units of the format's clock.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// What stands behind the header.
    pub payload: Arc<[u8]>,
    /// When it came.
    pub arrived: Instant,
    /// By how many degrees clockwise the camera is rotated, if that is said.
    pub orientation: Option<u16>,
    /// When it was captured by the clock of who captured it, if that is said.
    pub captured: Option<CaptureTime>,
    /// The dependency descriptor of its frame (RTP Payload Format For AV1, appendix A), as it came, if it has one.
    pub dependency_descriptor: Option<Arc<[u8]>>,
    /// What the last sender report said before it.
    pub sender_report: Option<ReportedTime>,
}

/// What the absolute-capture-time header extension says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureTime {
    /// The time by the clock of who captured.
    pub time: SystemTime,
    /// What has to be added to the time of the sender's clock to get that of who captured, in units of 2^-32 seconds, if the
    /// sender knows it.
    pub clock_offset: Option<i64>,
}

/// Which RTP time is which time of the sender's clock (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportedTime {
    /// The time by the sender's clock.
    pub time: SystemTime,
    /// The RTP time.
    pub timestamp: u32,
}
