//! From encoded frames to RTP payloads, for peers without GStreamer.
//!
//! Each file is one payload format. What comes out is the `packets` of a [`Frame`](crate::frame::Frame), each at most as long as
//! a [`PayloadSize`] says, and at most [`MAX_PACKETS_PER_FRAME`] of them.

pub mod h264;
pub mod opus;
pub mod vp8;

use std::sync::Arc;

use thiserror::Error;

use super::MAX_ACCESS_UNIT_BYTES;
use crate::frame::MAX_PACKETS_PER_FRAME;

/// Bytes of a payload, at most: what the path takes in one datagram less the headers of IP, UDP and RTP with its extensions, and
/// the tag of SRTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PayloadSize(usize);

/// Why a frame cannot be divided into payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// There is nothing in it.
    #[error("the frame is empty")]
    Empty,
    /// It exceeds [`MAX_ACCESS_UNIT_BYTES`], takes more than [`MAX_PACKETS_PER_FRAME`], or is of a format in which frames cannot
    /// be divided.
    #[error("the frame is too large")]
    TooLarge,
}

impl PayloadSize {
    /// The smallest that there can be: shorter payloads would be headers for the most part.
    pub const MIN: Self = Self(64);

    /// The largest that there can be, in a datagram of 65,535 bytes.
    pub const MAX: Self = Self(65_000);

    /// So many bytes; none if that is less than [`MIN`](Self::MIN) or more than [`MAX`](Self::MAX).
    pub fn new(bytes: usize) -> Option<Self> {
        let size = Self(bytes);
        (Self::MIN..=Self::MAX).contains(&size).then_some(size)
    }

    /// Bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

/// Payloads of a frame, as many as one may have.
struct Payloads(Vec<Arc<[u8]>>);

impl Payloads {
    /// Of a frame of so many bytes.
    fn of(frame: &[u8]) -> Result<Self, PayloadError> {
        match frame.len() {
            0 => Err(PayloadError::Empty),
            1..=MAX_ACCESS_UNIT_BYTES => Ok(Self(Vec::new())),
            _ => Err(PayloadError::TooLarge),
        }
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), PayloadError> {
        if self.0.len() >= MAX_PACKETS_PER_FRAME {
            return Err(PayloadError::TooLarge);
        }
        self.0.push(payload.into());
        Ok(())
    }

    fn finish(self) -> Result<Vec<Arc<[u8]>>, PayloadError> {
        if self.0.is_empty() {
            return Err(PayloadError::Empty);
        }
        Ok(self.0)
    }
}

/// As few parts of at most `max` bytes as there can be, all of about the same length: a short last one would cost as much as a
/// long one to send.
fn even_parts(bytes: &[u8], max: usize) -> impl ExactSizeIterator<Item = &[u8]> {
    let count = bytes.len().div_ceil(max);
    let shortest = bytes.len() / count.max(1);
    let longer = bytes.len() % count.max(1);
    let mut rest = bytes;
    (0..count).map(move |place| {
        let (part, behind) = rest.split_at(shortest + usize::from(place < longer));
        rest = behind;
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_size_has_bounds() {
        assert_eq!(PayloadSize::new(63), None);
        assert_eq!(PayloadSize::new(64), Some(PayloadSize::MIN));
        assert_eq!(PayloadSize::new(65_000), Some(PayloadSize::MAX));
        assert_eq!(PayloadSize::new(65_001), None);
    }

    #[test]
    fn parts_are_few_and_even() {
        let lengths = |bytes: usize, max| {
            let bytes = vec![0; bytes];
            let parts = even_parts(&bytes, max).map(<[u8]>::len);
            parts.collect::<Vec<_>>()
        };
        assert_eq!(lengths(10, 10), [10]);
        assert_eq!(lengths(11, 10), [6, 5]);
        assert_eq!(lengths(29, 10), [10, 10, 9]);
        assert_eq!(lengths(0, 10), []);
    }

    #[test]
    fn frame_that_is_empty_or_too_large_is_refused() {
        assert_eq!(Payloads::of(&[]).err(), Some(PayloadError::Empty));
        let mut frame = vec![0; MAX_ACCESS_UNIT_BYTES];
        assert!(Payloads::of(&frame).is_ok());
        frame.push(0);
        assert_eq!(Payloads::of(&frame).err(), Some(PayloadError::TooLarge));
        let mut payloads = Payloads::of(&[1]).expect("it fits");
        for _ in 0..MAX_PACKETS_PER_FRAME {
            assert_eq!(payloads.push(&[1]), Ok(()));
        }
        assert_eq!(payloads.push(&[1]), Err(PayloadError::TooLarge));
    }
}
