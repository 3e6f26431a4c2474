//! A link that takes so much, lets a queue grow before it, and loses what it likes.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What UDP and IPv4 add to a datagram.
const HEADER_BYTES: usize = 28;

pub struct Link {
    /// In bit/s; none for no limit.
    pub rate: Option<u64>,
    /// What would wait longer is lost.
    pub queue: Duration,
    /// The share of datagrams that is lost by chance.
    pub loss: f64,
    chance: StdRng,
    busy_until: Option<Instant>,
    pub passed_bytes: u64,
    pub lost: u64,
}

impl Link {
    pub fn unlimited() -> Self {
        Self {
            rate: None,
            queue: Duration::MAX,
            loss: 0.0,
            chance: StdRng::seed_from_u64(1),
            busy_until: None,
            passed_bytes: 0,
            lost: 0,
        }
    }

    pub fn limited(rate: u64, queue: Duration) -> Self {
        Self {
            rate: Some(rate),
            queue,
            ..Self::unlimited()
        }
    }

    /// When a datagram that comes now has passed; none if it is lost.
    pub fn pass(&mut self, bytes: usize, now: Instant) -> Option<Instant> {
        let begin = self.busy_until.map_or(now, |busy| busy.max(now));
        let full = begin - now > self.queue;
        if full || (self.loss > 0.0 && self.chance.random_bool(self.loss)) {
            self.lost += 1;
            return None;
        }
        self.passed_bytes += bytes as u64;
        let bits = 8 * (bytes + HEADER_BYTES) as u64;
        let time = self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(bits as f64 / rate as f64)
        });
        self.busy_until = Some(begin + time);
        self.busy_until
    }
}
