//! When what a peer sends was captured, by our clock.
//!
//! Sender reports say which RTP time is which time of the sender's clock (RFC 3550, section 6.4.1). How that clock differs from
//! ours nobody says; but no packet comes before it was captured, and the one that took the least time says most. The difference is
//! the same for all tracks of a connection, so that audio and video stay in step.

use std::time::{Duration, Instant, SystemTime};

use super::received_packet::ReportedTime;

/// For how long a packet that took little time is remembered, at least; twice as long at most. The sender's clock may go at
/// another rate than ours: at 100 ppm it is 2 ms off after so long.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What a packet may be older than its arrival. What reports say beyond that is their sender's mistake.
pub const MAX_AGE: Duration = Duration::from_secs(5);

/// The clock of one connection's sender.
#[derive(Clone, Debug, Default)]
pub struct CaptureClock {
    /// What our times are counted from.
    base: Option<Instant>,
    newer: Option<Window>,
    /// The least difference of the window before.
    older: Option<Nanoseconds>,
}

/// Signed, and enough for any two times.
type Nanoseconds = i128;

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    /// Our time less the sender's, of the packet that took the least time.
    least: Nanoseconds,
}

impl CaptureClock {
    /// Takes a packet of any track, with the rate of its RTP clock in Hz, and returns when it was captured: when it came, if no
    /// report was there before. Never later than it came, and at most [`MAX_AGE`] before.
    pub fn handle_packet(
        &mut self,
        report: Option<ReportedTime>,
        timestamp: u32,
        clock: u32,
        arrived: Instant,
    ) -> Instant {
        let Some(sent) = report.and_then(|report| sender_time(report, timestamp, clock)) else {
            return arrived;
        };
        let base = *self.base.get_or_insert(arrived);
        let came = nanoseconds(arrived.saturating_duration_since(base));
        let difference = came - sent;
        self.add(difference, arrived);
        let least = self.newer.map_or(difference, |window| window.least);
        let least = self.older.map_or(least, |older| older.min(least));
        let age = u64::try_from(difference - least).unwrap_or(u64::MAX);
        let age = Duration::from_nanos(age).min(MAX_AGE);
        arrived.checked_sub(age).unwrap_or(arrived)
    }

    fn add(&mut self, difference: Nanoseconds, arrived: Instant) {
        match &mut self.newer {
            Some(window) if arrived.saturating_duration_since(window.since) < WINDOW => {
                window.least = window.least.min(difference);
            }
            newer => {
                self.older = newer.map(|window| window.least);
                *newer = Some(Window {
                    since: arrived,
                    least: difference,
                });
            }
        }
    }
}

/// The time of an RTP time by the sender's clock; RTP times are at most half of their range away from the reported one.
fn sender_time(report: ReportedTime, timestamp: u32, clock: u32) -> Option<Nanoseconds> {
    let reported = match report.time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => nanoseconds(after),
        Err(before) => -nanoseconds(before.duration()),
    };
    let units = timestamp.wrapping_sub(report.timestamp).cast_signed();
    let since = Nanoseconds::from(units) * 1_000_000_000;
    Some(reported + since.checked_div(clock.into())?)
}

fn nanoseconds(duration: Duration) -> Nanoseconds {
    // The largest duration has less than 2^94.
    duration.as_nanos() as Nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn report(time: Duration, timestamp: u32) -> Option<ReportedTime> {
        Some(ReportedTime {
            time: SystemTime::UNIX_EPOCH + time,
            timestamp,
        })
    }

    #[test]
    fn packet_without_a_report_was_captured_when_it_came() {
        let now = Instant::now();
        let mut clock = CaptureClock::default();
        assert_eq!(clock.handle_packet(None, 5, 90_000, now), now);
        let report = report(5_000 * MS, 0);
        assert_eq!(clock.handle_packet(report, 5, 0, now), now, "no clock");
    }

    #[test]
    fn packet_that_took_longer_than_the_fastest_was_captured_earlier() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        // The RTP time passes its end; each packet takes 30 ms, one 50 ms.
        let report = report(1_000_000 * MS, 0_u32.wrapping_sub(90 * 100));
        for (sent, takes) in [(0, 30), (20, 30), (40, 50), (120, 30)] {
            let timestamp = 0_u32.wrapping_sub(90 * 100).wrapping_add(90 * sent);
            let arrived = start + (sent + takes) * MS;
            let captured = clock.handle_packet(report, timestamp, 90_000, arrived);
            assert_eq!(captured, start + (sent + 30) * MS, "{sent}");
        }
    }

    #[test]
    fn tracks_of_different_clocks_stay_in_step() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        let video = report(1_000_000 * MS, 7);
        let audio = report(1_000_500 * MS, 3_000_000_000);
        let arrived = start + 40 * MS;
        let of_audio = clock.handle_packet(audio, 3_000_000_000 - 24_000, 48_000, arrived);
        // Captured at the same time, and encoded for 60 ms.
        let of_video = clock.handle_packet(video, 7, 90_000, arrived + 60 * MS);
        assert_eq!((of_audio, of_video), (arrived, arrived));
    }

    #[test]
    fn clock_that_is_slow_is_followed() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        let report = report(1_000_000 * MS, 0);
        let mut age = Duration::ZERO;
        // A thousandth slower than ours.
        for second in 0..3_600_u32 {
            let arrived = start + second * 1_000 * MS;
            let captured = clock.handle_packet(report, second * 89_910, 90_000, arrived);
            age = age.max(arrived - captured);
        }
        assert!(age > Duration::ZERO && age <= 20 * MS, "{age:?}");
    }

    #[test]
    fn reports_of_nonsense_have_bounded_effect() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        let mut now = start;
        for (time, timestamp) in [
            (Duration::ZERO, 0),
            (Duration::from_secs(1 << 33), u32::MAX),
            (Duration::from_secs(7), 1 << 31),
        ] {
            for clock_rate in [1, 48_000, u32::MAX] {
                now += MS;
                let captured = clock.handle_packet(report(time, timestamp), 9, clock_rate, now);
                assert!(captured <= now && now - captured <= MAX_AGE);
            }
        }
    }
}
