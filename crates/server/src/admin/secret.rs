//! The token of the admin API.

use std::fmt;

use subtle::ConstantTimeEq;

/// Shorter ones can be guessed.
const MIN_BYTES: usize = 16;

/// Longer ones do not fit into a header.
const MAX_BYTES: usize = 512;

/// A token. It is never shown, and how long a comparison takes depends on nothing but its length.
#[derive(Clone)]
pub struct Secret(String);

/// A text that cannot be a [`Secret`]. Another one must be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// Too short or too long.
    #[error("a token has {MIN_BYTES} to {MAX_BYTES} characters, not {bytes}")]
    Length {
        /// Its size.
        bytes: usize,
    },
    /// A header cannot carry it (RFC 6750, 2.1).
    #[error("a token has letters, digits and the signs - . _ ~ + / = only")]
    Character,
}

impl Secret {
    /// A token of 16 to 512 letters, digits and the signs `-._~+/=`.
    ///
    /// # Errors
    ///
    /// The text has another length, or another character.
    pub fn new(token: impl Into<String>) -> Result<Self, InvalidSecret> {
        let token = token.into();
        if !(MIN_BYTES..=MAX_BYTES).contains(&token.len()) {
            return Err(InvalidSecret::Length { bytes: token.len() });
        }
        let may_be_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !token.bytes().all(may_be_sent) {
            return Err(InvalidSecret::Character);
        }
        Ok(Self(token))
    }

    pub(super) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_and_never_shown() {
        let secret = Secret::new("correct-horse-battery").expect("a good one");
        assert!(secret.is(b"correct-horse-battery"));
        assert!(!secret.is(b"correct-horse-batterz"));
        assert!(!secret.is(b""));
        assert!(!format!("{secret:?}").contains("horse"));
    }

    /// How long a comparison takes shows in no answer; only its way does.
    #[test]
    fn token_compared_in_constant_time() {
        let source = include_str!("secret.rs");
        let (_, rest) = source
            .split_once("fn is(&self")
            .expect("it is compared there");
        let (body, _) = rest.split_once("\n    }").expect("it ends");
        assert!(body.contains(".ct_eq("), "{body}");
        assert!(!body.contains("=="), "{body}");
    }

    #[test]
    fn what_can_be_guessed_or_not_be_sent_is_refused() {
        let length = |bytes| Err(InvalidSecret::Length { bytes });
        assert_eq!(Secret::new("").map(|_| ()), length(0));
        assert_eq!(Secret::new("fifteen-letters").map(|_| ()), length(15));
        assert_eq!(Secret::new("x".repeat(513)).map(|_| ()), length(513));
        let refused = Secret::new("correct horse battery").map(|_| ());
        assert_eq!(refused, Err(InvalidSecret::Character));
    }
}
