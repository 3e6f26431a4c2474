//! When to ping a silent peer, and when to give up on it. No I/O; time comes in.

use std::time::Duration;

use tokio::time::Instant;

/// Follows one peer. The owner calls [`on_received`](Self::on_received) for every frame of the peer,
/// and [`on_deadline`](Self::on_deadline) once [`deadline`](Self::deadline) has come.
#[derive(Debug)]
pub(crate) struct Liveness {
    ping_interval: Duration,
    pong_timeout: Duration,
    last_received: Instant,
    pinged: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: the peer spoke since the deadline was set.
    Nothing,
    /// Send a ping.
    Ping,
    /// The peer is dead.
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

    /// When to call `on_deadline`. Hearing from the peer nearly always moves it later, and then a timer may be
    /// left as it is until it fires; but where `pong_timeout` is longer than `ping_interval`, an answer to a
    /// ping moves it earlier.
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
    const PONG: Duration = Duration::from_secs(10);

    #[test]
    fn a_silent_peer_is_pinged_and_then_given_up() {
        let start = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, start);
        assert_eq!(liveness.on_deadline(start + PING / 2), Due::Nothing);
        assert_eq!(liveness.on_deadline(start + PING), Due::Ping);
        assert_eq!(liveness.deadline(), start + PING + PONG);
        assert_eq!(liveness.on_deadline(start + PING + PONG), Due::GiveUp);
    }

    #[test]
    fn a_peer_that_answers_lives_for_years() {
        let mut now = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, now);
        for _ in 0..2_000_000 {
            now = liveness.deadline();
            assert_eq!(liveness.on_deadline(now), Due::Ping);
            now += PONG / 2;
            liveness.on_received(now);
        }
    }

    #[test]
    fn a_peer_that_speaks_is_not_pinged() {
        let mut now = Instant::now();
        let mut liveness = Liveness::new(PING, PONG, now);
        for _ in 0..1_000 {
            now += PING / 2;
            liveness.on_received(now);
            assert_eq!(liveness.on_deadline(now), Due::Nothing);
        }
    }
}
