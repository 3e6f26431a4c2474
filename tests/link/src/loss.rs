//! Which packets are lost: each by itself, or in bursts.

use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::conditions::InvalidConditions;

/// Which packets are lost on the way. They are lost behind the transmitter, so they have used the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// No packet.
    #[default]
    None,
    /// Each packet with this probability, whatever happened to the others.
    Independent(f64),
    /// The two-state model of Gilbert and Elliott: the link is good or bad, loses packets with a probability of that
    /// state, and after each packet changes its state with a probability of that state. It is good at first.
    GilbertElliott {
        /// The probability that the link becomes bad after a packet.
        good_to_bad: f64,
        /// The probability that the link becomes good after a packet.
        bad_to_good: f64,
        /// The probability that a packet is lost while the link is good.
        loss_in_good: f64,
        /// The probability that a packet is lost while the link is bad.
        loss_in_bad: f64,
    },
}

impl Loss {
    /// Bursts that lose this share of all packets in the long run, each burst with a geometrically distributed length
    /// of this mean, in packets: a link that loses everything while bad, and nothing while good.
    ///
    /// The mean is at least 1, and the share below 1 by so much that a good state has at least one packet:
    /// `share <= mean_length / (mean_length + 1)`.
    pub fn bursts(share: f64, mean_length: f64) -> Result<Self, InvalidConditions> {
        let bad_to_good = 1.0 / mean_length;
        let good_to_bad = bad_to_good * share / (1.0 - share);
        let possible = (0.0..1.0).contains(&share)
            && mean_length >= 1.0
            && mean_length.is_finite()
            && good_to_bad <= 1.0;
        if !possible {
            return Err(InvalidConditions::Bursts { share, mean_length });
        }
        Ok(Self::GilbertElliott {
            good_to_bad,
            bad_to_good,
            loss_in_good: 0.0,
            loss_in_bad: 1.0,
        })
    }

    /// The share of packets that is lost in the long run.
    #[must_use]
    pub fn share(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Independent(probability) => probability,
            Self::GilbertElliott {
                good_to_bad,
                bad_to_good,
                loss_in_good,
                loss_in_bad,
            } => {
                let changes = good_to_bad + bad_to_good;
                // A link that never changes stays good.
                let bad = if changes > 0.0 {
                    good_to_bad / changes
                } else {
                    0.0
                };
                (1.0 - bad) * loss_in_good + bad * loss_in_bad
            }
        }
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidConditions> {
        let probabilities = match *self {
            Self::None => [0.0; 4],
            Self::Independent(probability) => [probability; 4],
            Self::GilbertElliott {
                good_to_bad,
                bad_to_good,
                loss_in_good,
                loss_in_bad,
            } => [good_to_bad, bad_to_good, loss_in_good, loss_in_bad],
        };
        match probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            Some(probability) => Err(InvalidConditions::Probability(*probability)),
            None => Ok(()),
        }
    }
}

/// The state of a link that loses packets.
#[derive(Debug, Default)]
pub(crate) struct LossState {
    is_bad: bool,
}

impl LossState {
    /// Whether the next packet is lost. Conditions must be valid.
    pub(crate) fn loses_next(&mut self, loss: &Loss, random: &mut StdRng) -> bool {
        match *loss {
            Loss::None => false,
            Loss::Independent(probability) => random.random_bool(probability),
            Loss::GilbertElliott {
                good_to_bad,
                bad_to_good,
                loss_in_good,
                loss_in_bad,
            } => {
                let (loses, changes) = if self.is_bad {
                    (loss_in_bad, bad_to_good)
                } else {
                    (loss_in_good, good_to_bad)
                };
                let lost = random.random_bool(loses);
                self.is_bad ^= random.random_bool(changes);
                lost
            }
        }
    }
}
