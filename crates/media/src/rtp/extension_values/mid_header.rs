//! The names of media sections (`a=mid`, RFC 9143) that go with the first packets of each.
//!
//! str0m knows sections by names of ours, since it would cut those that viewers offer. In packets this header extension,
//! which str0m takes for one it does not know, writes what the descriptions say.

use std::sync::{Arc, PoisonError, RwLock};

use str0m::media::Mid;
use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// The extension as viewers know it (RFC 9143, section 14).
pub(crate) const URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The extension as it is named to str0m, so that it does not take it for its own.
pub(crate) const URI_FOR_STR0M: &str = "urn:ietf:params:rtp-hdrext:sdes:mid:as-described";

/// The longest value of a header extension with a header of one byte (RFC 8285, section 4.2).
const MAX_BYTES: usize = 16;

/// How str0m's sections are called in descriptions. Copies share the names.
#[derive(Clone, Debug, Default)]
pub(crate) struct MidNames(Arc<RwLock<Vec<(Mid, String)>>>);

impl MidNames {
    /// Sets the names, of all sections that there are.
    pub(crate) fn set(&self, names: Vec<(Mid, String)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

impl ExtensionSerializer for MidNames {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut names = names.iter();
        let name = names.find(|(mid, _)| Some(*mid) == values.mid);
        // Without it, viewers know the sections by the sources that the description names.
        let name = name
            .map(|(_, name)| name)
            .filter(|name| name.len() <= MAX_BYTES);
        match name.and_then(|name| Some((name, buffer.get_mut(..name.len())?))) {
            Some((name, place)) => {
                place.copy_from_slice(name.as_bytes());
                name.len()
            }
            None => 0,
        }
    }

    fn parse_value(&self, _: &[u8], _: &mut ExtensionValues) -> bool {
        // Names in packets are read by [`receiving`](crate::session::receiving).
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_carry_the_names_of_the_description() {
        let names = MidNames::default();
        let [short, long] = ["abc", "def"].map(Mid::from);
        names.set(vec![(short, "video0".to_owned()), (long, "x".repeat(17))]);
        let written = |mid| {
            let values = ExtensionValues {
                mid,
                ..ExtensionValues::default()
            };
            let mut buffer = [0; 32];
            let length = names.write_to(&mut buffer, &values);
            buffer[..length].to_vec()
        };
        assert_eq!(written(Some(short)), b"video0");
        for unnamed in [None, Some(long), Some(Mid::from("ghi"))] {
            assert!(written(unnamed).is_empty());
        }
    }
}
