//! Payloads of VP8 (RFC 7741), each with a picture id of 15 bits.

use std::sync::Arc;

use super::{PayloadError, PayloadSize, Payloads, even_parts};
use crate::rtp::descriptor::PictureId;
use crate::rtp::descriptor::vp8::Vp8Descriptor;

/// Divides the frames of one stream, and numbers them.
#[derive(Clone, Debug)]
pub struct Vp8Payloader {
    size: PayloadSize,
    picture_id: u16,
}

impl Vp8Payloader {
    /// A payloader whose first frame has this picture id, of which 15 bits count; RFC 7741 wants it to be random.
    pub fn new(size: PayloadSize, first_picture_id: u16) -> Self {
        Self {
            size,
            picture_id: first_picture_id,
        }
    }

    /// The payloads of the next frame. Partitions are not looked for: all of a frame is sent as its first (RFC 7741,
    /// section 4.2, PID).
    pub fn payloads(&mut self, frame: &[u8]) -> Result<Vec<Arc<[u8]>>, PayloadError> {
        let mut payloads = Payloads::of(frame)?;
        let mut descriptor = Vp8Descriptor {
            begins_partition: true,
            picture_id: Some(PictureId::Long(0).with_value(self.picture_id)),
            ..Vp8Descriptor::default()
        };
        for part in even_parts(frame, self.size.bytes() - descriptor.length()) {
            let mut payload = Vec::with_capacity(descriptor.length() + part.len());
            descriptor.write(&mut payload);
            payload.extend_from_slice(part);
            payloads.push(&payload)?;
            descriptor.begins_partition = false;
        }
        self.picture_id = self.picture_id.wrapping_add(1);
        payloads.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_divided_behind_descriptors_with_its_number() {
        let mut payloader = Vp8Payloader::new(PayloadSize::MIN, 0x7fff);
        let payloads = payloader.payloads(&[9; 61]).expect("it fits");
        assert_eq!(payloads.len(), 2);
        assert_eq!(payloads[0][..5], [0x90, 0x80, 0xff, 0xff, 9]);
        assert_eq!(payloads[1][..5], [0x80, 0x80, 0xff, 0xff, 9]);
        assert_eq!((payloads[0].len(), payloads[1].len()), (35, 34));
        let payloads = payloader.payloads(&[9; 60]).expect("it fits");
        assert_eq!(payloads.len(), 1);
        assert_eq!(payloads[0][..5], [0x90, 0x80, 0x80, 0x00, 9]);
        assert_eq!(payloads[0].len(), 64);
    }

    #[test]
    fn frame_that_is_refused_takes_no_number() {
        let mut payloader = Vp8Payloader::new(PayloadSize::MIN, 5);
        let too_large = vec![9; 60 * crate::frame::MAX_PACKETS_PER_FRAME + 1];
        let refused = payloader.payloads(&too_large);
        assert_eq!(refused, Err(PayloadError::TooLarge));
        assert_eq!(payloader.payloads(&[]), Err(PayloadError::Empty));
        let payloads = payloader.payloads(&[9]).expect("it fits");
        assert_eq!(payloads[0][..], [0x90, 0x80, 0x80, 0x05, 9]);
    }
}
