//! The property `playout-delay`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use wigwag_media::session::{MAX_PLAYOUT_DELAY, PlayoutDelay};

/// How long viewers shall hold back pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PlayoutDelaySetting {
    /// Not at all if the source is live, and as they like if it is not.
    #[default]
    Auto,
    /// As they like.
    None,
    Range(PlayoutDelay),
}

/// Why a text is no playout delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write auto, none, or a range in milliseconds as 0..100, up to {}",
    MAX_PLAYOUT_DELAY.as_millis()
)]
pub(super) struct InvalidPlayoutDelay;

impl PlayoutDelaySetting {
    /// What viewers of such a source are asked for, if anything.
    pub(super) fn for_source(self, live: bool) -> Option<PlayoutDelay> {
        match self {
            Self::Auto => live.then_some(PlayoutDelay::NONE),
            Self::None => None,
            Self::Range(range) => Some(range),
        }
    }
}

impl FromStr for PlayoutDelaySetting {
    type Err = InvalidPlayoutDelay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text {
            "auto" => return Ok(Self::Auto),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let milliseconds = |text: &str| {
            let number = text.parse().map_err(|_| InvalidPlayoutDelay)?;
            Ok(Duration::from_millis(number))
        };
        let range = PlayoutDelay::new(milliseconds(min)?, milliseconds(max)?);
        range.map(Self::Range).ok_or(InvalidPlayoutDelay)
    }
}

impl fmt::Display for PlayoutDelaySetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Range(range) => {
                let (min, max) = (range.min().as_millis(), range.max().as_millis());
                write!(f, "{min}..{max}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playout_delays_are_read_as_they_are_written() {
        for text in ["auto", "none", "0..0", "20..400", "0..40950"] {
            let setting: PlayoutDelaySetting = text.parse().expect("a playout delay");
            assert_eq!(setting.to_string(), text);
        }
        assert_eq!("50".parse(), "50..50".parse::<PlayoutDelaySetting>());
    }

    #[test]
    fn playout_delay_that_makes_no_sense_is_an_error_that_shows_how_to_write_it() {
        for text in ["", "low", "100..0", "0..40951", "-1", "0..", "1ms"] {
            let error = text.parse::<PlayoutDelaySetting>().expect_err(text);
            assert!(error.to_string().contains("0..100"), "{error}");
        }
    }

    #[test]
    fn by_default_live_sources_alone_are_not_held_back() {
        let setting = PlayoutDelaySetting::default();
        assert_eq!(setting.for_source(true), Some(PlayoutDelay::NONE));
        assert_eq!(setting.for_source(false), None);
        assert_eq!(PlayoutDelaySetting::None.for_source(true), None);
    }
}
