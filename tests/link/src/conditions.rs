//! What a link does to packets in one direction.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::loss::Loss;
use crate::milliseconds;

/// The slowest rate, in bit/s: a full packet takes twelve seconds there.
pub const MIN_RATE: u64 = 1_000;

/// The longest delay, and the most jitter.
pub const MAX_DELAY: Duration = Duration::from_secs(60);

/// The MTU of a link unless the conditions have another, in bytes: Ethernet's.
pub const MTU: usize = 1_500;

/// The queue of a link unless the conditions have another.
pub const DEFAULT_QUEUE: QueueLimit = QueueLimit::Time(Duration::from_millis(200));

/// Everything that a link does to packets in one direction. The table at the top of the crate has the details; the
/// default is a perfect link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// What the link transmits at most, in bit/s, counted in whole IP packets; none for no limit.
    pub rate_bits_per_second: Option<u64>,
    /// How much may wait for the transmitter.
    pub queue: QueueLimit,
    /// The time from the end of a packet's transmission to its arrival.
    #[serde(rename = "delay_ms", with = "milliseconds")]
    pub delay: Duration,
    /// The most that is added to the delay of a packet: equally likely anything from zero to this.
    #[serde(rename = "jitter_ms", with = "milliseconds")]
    pub jitter: Duration,
    /// Whether jitter may change the order of packets. Otherwise a packet waits for the one before it.
    pub reorder: bool,
    /// Which packets are lost on the way.
    pub loss: Loss,
    /// The largest packet, in bytes; larger ones vanish without a notice to the sender.
    pub mtu: usize,
    /// The seed of the random sequences: the same seed and the same packets give the same losses and the same jitter.
    pub seed: u64,
}

/// How much may wait for the transmitter. A packet that exceeds this is dropped (drop-tail); what waits already stays,
/// also when the limit or the rate falls. The packet that is being transmitted does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueLimit {
    /// So long until the transmission of the packet begins, at the rate of this moment.
    #[serde(rename = "ms", with = "milliseconds")]
    Time(Duration),
    /// So many bytes, the packet included.
    Bytes(usize),
}

/// Why conditions are refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidConditions {
    /// Hardly anything would ever arrive.
    #[error(
        "a rate of {0} bit/s is below the slowest, {MIN_RATE}; for a dead link set independent loss to 1"
    )]
    Rate(u64),
    /// Packets would be held for too long.
    #[error("a delay or jitter of {0:?} exceeds the longest, {MAX_DELAY:?}")]
    Delay(Duration),
    /// Something that ought to be a probability is not.
    #[error("{0} is not a probability; it must be between 0 and 1")]
    Probability(f64),
    /// A burst of losses would never end, or never begin.
    #[error("bursts of {mean_length} packets cannot lose a share of {share}: see Loss::bursts")]
    Bursts {
        /// The share of packets lost.
        share: f64,
        /// The mean length of a burst, in packets.
        mean_length: f64,
    },
    /// No packet fits.
    #[error("an MTU of 0 lets nothing pass; for a dead link set independent loss to 1")]
    Mtu,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            rate_bits_per_second: None,
            queue: DEFAULT_QUEUE,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: false,
            loss: Loss::None,
            mtu: MTU,
            seed: 1,
        }
    }
}

impl Conditions {
    /// Conditions that limit the rate, in bit/s, with a queue before it.
    #[must_use]
    pub fn limited(rate_bits_per_second: u64, queue: QueueLimit) -> Self {
        Self {
            rate_bits_per_second: Some(rate_bits_per_second),
            queue,
            ..Self::default()
        }
    }

    /// Conditions that delay every packet by the same time.
    #[must_use]
    pub fn delayed(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::default()
        }
    }

    /// Refuses what a link cannot do.
    pub fn validate(&self) -> Result<(), InvalidConditions> {
        if let Some(rate) = self.rate_bits_per_second
            && rate < MIN_RATE
        {
            return Err(InvalidConditions::Rate(rate));
        }
        for time in [self.delay, self.jitter] {
            if time > MAX_DELAY {
                return Err(InvalidConditions::Delay(time));
            }
        }
        if self.mtu == 0 {
            return Err(InvalidConditions::Mtu);
        }
        self.loss.validate()
    }

    /// How long so many bytes take at the rate, rounded up, so that the rate is never exceeded.
    pub(crate) fn transmission_time(&self, bytes: usize) -> Duration {
        self.rate_bits_per_second.map_or(Duration::ZERO, |rate| {
            let nanos = (bytes as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        })
    }
}
