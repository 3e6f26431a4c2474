//! Kinds of values that measure something: counts, sizes and times.

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use super::value::{Given, Kind, expected, number, quoted};

/// How many there may be, in a type of the server's.
pub(super) struct Count<T = usize>(PhantomData<T>);

impl<T: TryFrom<i64> + Display> Kind for Count<T> {
    type Value = T;

    fn read(given: &Given, _: Option<&Path>) -> Result<T, String> {
        number(given)
            .filter(|number| (1..=i64::from(u32::MAX)).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| expected("a number from 1 to 4294967295", given))
    }

    fn show(value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// A size.
pub(super) struct Bytes;

/// What the letters after a size stand for, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
];

const MAX_BYTES: u64 = 1 << 40;

impl Kind for Bytes {
    type Value = usize;

    fn read(given: &Given, _: Option<&Path>) -> Result<usize, String> {
        let bytes = match given {
            Given::Number(bytes) => u64::try_from(*bytes).ok(),
            Given::Text(text) | Given::Word(text) => size(text),
            _ => None,
        };
        bytes
            .filter(|bytes| (1..=MAX_BYTES).contains(bytes))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| expected("a size such as \"1MiB\", \"64KiB\" or 1000", given))
    }

    fn show(value: &usize) -> Option<String> {
        let bytes = *value as u64;
        let (name, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))?;
        let number = bytes / unit;
        Some(if name.is_empty() {
            number.to_string()
        } else {
            quoted(&format!("{number}{name}"))
        })
    }
}

/// A time that is not zero; a number without a unit is seconds.
pub(super) struct Time;

/// More than any wait here makes sense for, and no sum of two overflows.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Kind for Time {
    type Value = Duration;

    fn read(given: &Given, _: Option<&Path>) -> Result<Duration, String> {
        time(given)
            .filter(|time| !time.is_zero())
            .ok_or_else(|| expected("a time up to a day such as \"30s\" or \"500ms\"", given))
    }

    fn show(value: &Duration) -> Option<String> {
        let text = humantime::format_duration(*value).to_string();
        Some(quoted(&text.replace(' ', "")))
    }
}

/// A time that may be zero.
pub(super) struct Delay;

impl Kind for Delay {
    type Value = Duration;

    fn read(given: &Given, _: Option<&Path>) -> Result<Duration, String> {
        time(given).ok_or_else(|| expected("a time from \"0s\" to a day", given))
    }

    fn show(value: &Duration) -> Option<String> {
        Time::show(value)
    }
}

fn size(text: &str) -> Option<u64> {
    let (name, unit) = UNITS
        .into_iter()
        .find(|(name, _)| text.ends_with(name))
        .expect("the last unit has no letters");
    let number: u64 = text.strip_suffix(name)?.trim_end().parse().ok()?;
    number.checked_mul(unit)
}

/// At most [`MAX_TIME`].
fn time(given: &Given) -> Option<Duration> {
    let time = match (given, number(given)) {
        (_, Some(seconds)) => Duration::from_secs(u64::try_from(seconds).ok()?),
        (Given::Text(text) | Given::Word(text), None) => humantime::parse_duration(text).ok()?,
        _ => return None,
    };
    (time <= MAX_TIME).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word<K: Kind>(word: &str) -> Result<K::Value, String> {
        K::read(&Given::Word(word.to_owned()), None)
    }

    #[test]
    fn sizes_have_units_of_1024_or_none() {
        for (given, bytes) in [
            ("1", 1),
            ("64KiB", 65_536),
            ("1 MiB", 1 << 20),
            ("2GiB", 1 << 31),
        ] {
            assert_eq!(word::<Bytes>(given), Ok(bytes), "{given}");
        }
        for given in ["", "0", "KiB", "-1", "1.5MiB", "1MB", "9999999GiB", "1 k"] {
            word::<Bytes>(given).expect_err(given);
        }
        for bytes in [1, 1000, 1024, 1536, 1 << 20, 3 << 30] {
            let shown = Bytes::show(&bytes).expect("shown");
            assert_eq!(word::<Bytes>(shown.trim_matches('"')), Ok(bytes));
        }
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        for (given, milliseconds) in [
            ("30", 30_000),
            ("500ms", 500),
            ("1m 30s", 90_000),
            ("1h", 3_600_000),
        ] {
            let time = Duration::from_millis(milliseconds);
            assert_eq!(word::<Time>(given), Ok(time), "{given}");
            let shown = Time::show(&time).expect("shown");
            assert_eq!(word::<Time>(shown.trim_matches('"')), Ok(time));
        }
        for given in [
            "",
            "0",
            "0s",
            "-1",
            "2days",
            "soon",
            "99999999999999999999s",
        ] {
            word::<Time>(given).expect_err(given);
        }
        assert_eq!(
            Time::read(&Given::Number(5), None),
            Ok(Duration::from_secs(5))
        );
    }
}
