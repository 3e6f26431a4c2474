//! The engine that all elements of this process share.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use wigwag_media::engine::{Engine, EngineConfig, EngineError, WeakEngine};

/// Names the addresses that are offered instead of every usable one, separated by commas.
const ADDRESSES_VARIABLE: &str = "WIGWAG_ADDRESSES";

/// Says how many viewers there may be, of all elements.
const MAX_VIEWERS_VARIABLE: &str = "WIGWAG_MAX_VIEWERS";

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SharedEngineError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{ADDRESSES_VARIABLE} has {0:?}, which is no IP address")]
    Address(String),
    #[error("{MAX_VIEWERS_VARIABLE} has {0:?}, which is no number of viewers; 0 is for no limit")]
    MaxViewers(String),
}

/// The engine of this process. Started for the first element that asks, as the environment says, and stopped when all have
/// dropped it.
///
/// # Errors
///
/// A variable has something else, or the engine does not start.
pub(crate) fn shared() -> Result<Engine, SharedEngineError> {
    static SHARED: Mutex<Option<WeakEngine>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = shared.as_ref().and_then(WeakEngine::upgrade) {
        return Ok(engine);
    }
    let variable = |name| {
        let value = std::env::var_os(name).unwrap_or_default();
        value.to_string_lossy().into_owned()
    };
    let engine = Engine::start(EngineConfig {
        addresses: addresses(&variable(ADDRESSES_VARIABLE))?,
        max_viewers: max_viewers(&variable(MAX_VIEWERS_VARIABLE))?,
        ..EngineConfig::default()
    })?;
    *shared = Some(engine.downgrade());
    Ok(engine)
}

/// Addresses that are separated by commas.
fn addresses(text: &str) -> Result<Vec<IpAddr>, SharedEngineError> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    let parsed = parts.map(|part| {
        let address = part.parse();
        address.map_err(|_| SharedEngineError::Address(part.to_owned()))
    });
    parsed.collect()
}

/// A number of viewers; none for no limit.
fn max_viewers(text: &str) -> Result<Option<NonZeroUsize>, SharedEngineError> {
    match text.trim() {
        "" => Ok(None),
        number => match number.parse() {
            Ok(number) => Ok(NonZeroUsize::new(number)),
            Err(_) => Err(SharedEngineError::MaxViewers(text.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_addresses() {
        let read = |text: &str| addresses(text).map_err(|error| error.to_string());
        let two = ["127.0.0.1", "::1"].map(|text| text.parse::<IpAddr>().expect("an address"));
        assert_eq!(read("127.0.0.1, ::1,"), Ok(two.to_vec()));
        assert_eq!(read(""), Ok(Vec::new()));
        for bad in ["localhost", "127.0.0.1:80", "[::1]"] {
            let error = read(&format!("127.0.0.1,{bad}")).expect_err("it is none");
            assert!(error.contains(bad) && error.contains(ADDRESSES_VARIABLE));
        }
    }

    #[test]
    fn environment_says_how_many_viewers_there_may_be() {
        let read = |text: &str| max_viewers(text).map_err(|error| error.to_string());
        assert_eq!(read(" 400 "), Ok(NonZeroUsize::new(400)));
        assert_eq!((read(""), read("0")), (Ok(None), Ok(None)));
        for bad in ["-1", "many", "99999999999999999999"] {
            let error = read(bad).expect_err("it is none");
            assert!(error.contains(bad) && error.contains(MAX_VIEWERS_VARIABLE));
        }
    }
}
