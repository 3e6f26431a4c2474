//! Says in the log when a certificate is about to expire, or has.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use crate::tls::certificate::Validity;
use crate::tls::state::TlsState;

/// A certificate that expires within this time should have been replaced.
pub(crate) const WARN_BEFORE: Duration = Duration::from_secs(14 * DAY);

/// For those that live for weeks only: the part of their life at whose end they should have been replaced.
const LAST_PART: u32 = 4;

/// How often the clock is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How often the same is said again.
const SAY_EVERY: Duration = Duration::from_secs(DAY);

const DAY: u64 = 24 * 60 * 60;

/// How far a certificate is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Good,
    /// Should have been replaced; so many whole days are left.
    Late {
        days: u64,
    },
    Expired,
}

/// Warns while there is reason to. Never ends.
pub(crate) async fn remind(state: &TlsState) {
    let mut changes = state.subscribe();
    let mut said: Option<(Age, Instant)> = None;
    loop {
        if let Some(certificate) = state.certificate() {
            let age = age(certificate.validity, SystemTime::now());
            let is_news =
                said.is_none_or(|(before, when)| before != age || when.elapsed() >= SAY_EVERY);
            if is_news {
                say(age, certificate.validity);
                said = Some((age, Instant::now()));
            }
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = changes.next() => said = None,
        }
    }
}

fn age(validity: Validity, now: SystemTime) -> Age {
    let (begin, end) = (validity.begins(), validity.ends());
    let Ok(left) = end.duration_since(now) else {
        return Age::Expired;
    };
    let life = end.duration_since(begin).unwrap_or_default();
    if left > WARN_BEFORE.min(life / LAST_PART) {
        return Age::Good;
    }
    Age::Late {
        days: left.as_secs() / DAY,
    }
}

fn say(age: Age, validity: Validity) {
    let until = validity.to;
    match age {
        Age::Good => {}
        Age::Late { days } => {
            tracing::warn!(%until, days, "the TLS certificate expires soon; replace it");
        }
        Age::Expired => {
            tracing::error!(%until, "the TLS certificate has expired: clients refuse it; replace it");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use x509_parser::time::ASN1Time;

    use super::*;

    fn valid_for(days: i64) -> Validity {
        let time = |seconds| ASN1Time::from_timestamp(seconds).expect("a time");
        Validity {
            from: time(0),
            to: time(days * DAY as i64),
        }
    }

    #[test]
    fn an_operator_is_warned_in_time() {
        let after = |days| UNIX_EPOCH + Duration::from_secs(days * DAY);
        for (life, day, expected) in [
            (90, 0, Age::Good),
            (90, 75, Age::Good),
            (90, 76, Age::Late { days: 14 }),
            (90, 89, Age::Late { days: 1 }),
            (90, 91, Age::Expired),
            // One that lives for less than the time of the warning is good at first.
            (8, 5, Age::Good),
            (8, 6, Age::Late { days: 2 }),
        ] {
            assert_eq!(age(valid_for(life), after(day)), expected, "{life} {day}");
        }
    }
}
