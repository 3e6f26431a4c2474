//! A limit to the lines that clients cause in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::rate::{Rate, TokenBucket};

/// Lets so many lines pass; more are to be logged as details (level `debug`) only, so that a flood of clients does not
/// flood the log.
#[derive(Debug)]
pub(crate) struct LogLimiter {
    start: Instant,
    rate: Rate,
    bucket: TokenBucket,
    left_out: AtomicU64,
}

impl LogLimiter {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            start: Instant::now(),
            rate,
            bucket: TokenBucket::default(),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether a line may be written. The first one after others that were left out follows a line with their number.
    pub(crate) fn allows(&self) -> bool {
        if self.bucket.take(self.rate, self.start.elapsed()).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(left_out, "lines about clients were left out");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn line_above_the_rate_left_out_until_there_is_room() {
        let limiter = LogLimiter::new(Rate::new(1, 2));
        assert_eq!(
            [(); 4].map(|()| limiter.allows()),
            [true, true, false, false]
        );
        assert_eq!(limiter.left_out.load(Ordering::Relaxed), 2);
        advance(Duration::from_secs(1)).await;
        assert!(limiter.allows());
        assert_eq!(limiter.left_out.load(Ordering::Relaxed), 0);
    }
}
