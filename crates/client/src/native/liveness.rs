//! When to ping a silent server, and when to give up on it. No I/O; time comes in.

use std::time::{Duration, Instant};

/// Follows one connection. The owner calls [`on_received`](Self::on_received) for every frame of the
/// server, and [`on_deadline`](Self::on_deadline) once [`deadline`](Self::deadline) has come.
#[derive(Debug)]
pub(crate) struct Liveness {
    ping_interval: Duration,
    pong_timeout: Duration,
    last_received: Instant,
    pinged: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: the server spoke since the deadline was set.
    Nothing,
    /// Send a ping.
    Ping,
    /// The server is gone.
    GiveUp,
}

impl Liveness {
    pub(crate) fn new(ping_interval: Duration, pong_timeout: Duration, now: Instant) -> Self {
        Self {
            ping_interval,
            pong_timeout,
            last_received: now,
            pinged: None,
        }
    }

    pub(crate) fn on_received(&mut self, now: Instant) {
        self.last_received = now;
        self.pinged = None;
    }

    /// When to call `on_deadline`. Calling it too early does no harm, so a timer need not be set again
    /// when this moves later.
    pub(crate) fn deadline(&self) -> Instant {
        match self.pinged {
            Some(pinged) => pinged + self.pong_timeout,
            None => self.last_received + self.ping_interval,
        }
    }

    pub(crate) fn on_deadline(&mut self, now: Instant) -> Due {
        if now < self.deadline() {
            return Due::Nothing;
        }
        if self.pinged.is_some() {
            return Due::GiveUp;
        }
        self.pinged = Some(now);
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Duration = Duration::from_secs(30);
    const PONG: Duration = Duration::from_secs(15);

    #[test]
    fn a_silent_server_is_pinged_and_then_given_up() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, start);
        assert_eq!(liveness.on_deadline(start + PING / 2), Due::Nothing);
        assert_eq!(liveness.on_deadline(start + PING), Due::Ping);
        assert_eq!(liveness.on_deadline(start + PING + PONG / 2), Due::Nothing);
        assert_eq!(liveness.on_deadline(start + PING + PONG), Due::GiveUp);
    }

    #[test]
    fn a_server_that_pings_is_not_pinged() {
        let mut now = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, now);
        for _ in 0..1_000 {
            now += PING - Duration::from_millis(1);
            assert_eq!(liveness.on_deadline(now), Due::Nothing);
            liveness.on_received(now);
        }
    }

    #[test]
    fn an_answer_counts_even_if_late_within_its_time() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, start);
        assert_eq!(liveness.on_deadline(start + PING), Due::Ping);
        let answered = start + PING + PONG / 2;
        liveness.on_received(answered);
        assert_eq!(liveness.deadline(), answered + PING);
    }
}
