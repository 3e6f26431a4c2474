//! From RTP payloads to encoded frames, for peers without GStreamer.
//!
//! Each file is one payload format. What goes in are the payloads of one frame, complete and in their order, as
//! [`AccessUnits`](crate::rtp::access_units::AccessUnits) puts them together. What comes out has at most
//! [`MAX_ACCESS_UNIT_BYTES`].

pub mod h264;
pub mod opus;
pub mod vp8;

use thiserror::Error;

use super::MAX_ACCESS_UNIT_BYTES;

/// Why payloads are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DepayloadError {
    /// There is nothing in them.
    #[error("the frame is empty")]
    Empty,
    /// One is cut short, or contradicts itself.
    #[error("malformed payload")]
    Malformed,
    /// One begins, goes on or ends where the one before does not let it.
    #[error("a payload is missing")]
    Incomplete,
    /// One has a structure that nobody offers: of this type.
    #[error("payloads of type {0} are not supported")]
    Unsupported(u8),
    /// The frame exceeds [`MAX_ACCESS_UNIT_BYTES`].
    #[error("the frame is too large")]
    TooLarge,
}

/// Bytes of a frame, as many as one may have.
#[derive(Default)]
struct FrameBytes(Vec<u8>);

impl FrameBytes {
    fn extend(&mut self, bytes: &[u8]) -> Result<(), DepayloadError> {
        if bytes.len() > MAX_ACCESS_UNIT_BYTES - self.0.len() {
            return Err(DepayloadError::TooLarge);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, DepayloadError> {
        if self.0.is_empty() {
            return Err(DepayloadError::Empty);
        }
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_bounded() {
        let mut frame = FrameBytes::default();
        let half = vec![0; MAX_ACCESS_UNIT_BYTES / 2];
        assert_eq!(frame.extend(&half), Ok(()));
        assert_eq!(frame.extend(&half), Ok(()));
        assert_eq!(frame.extend(&[0]), Err(DepayloadError::TooLarge));
        assert_eq!(FrameBytes::default().finish(), Err(DepayloadError::Empty));
    }
}
