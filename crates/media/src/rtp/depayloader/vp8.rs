//! Frames of VP8 from their payloads (RFC 7741).

use super::{DepayloadError, FrameBytes};
use crate::rtp::descriptor::vp8::Vp8Descriptor;

/// The frame of payloads.
pub fn frame<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, DepayloadError> {
    let mut frame = FrameBytes::default();
    for (place, payload) in payloads.into_iter().enumerate() {
        let (descriptor, part) = Vp8Descriptor::read(payload).ok_or(DepayloadError::Malformed)?;
        if descriptor.begins_frame() != (place == 0) {
            return Err(DepayloadError::Incomplete);
        }
        frame.extend(part)?;
    }
    frame.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::rtp::payloader::PayloadSize;
    use crate::rtp::payloader::vp8::Vp8Payloader;

    fn read(payloads: &[&[u8]]) -> Result<Vec<u8>, DepayloadError> {
        frame(payloads.iter().copied())
    }

    #[test]
    fn frame_of_several_partitions_is_put_together() {
        let payloads = [
            &[0x10, 1, 2][..],
            &[0x00, 3],
            &[0x11, 4],
            &[0x92, 0x80, 5, 6],
        ];
        assert_eq!(read(&payloads), Ok(vec![1, 2, 3, 4, 6]));
    }

    #[test]
    fn payloads_that_are_no_frame_are_refused() {
        assert_eq!(read(&[]), Err(DepayloadError::Empty));
        assert_eq!(read(&[&[0x10]]), Err(DepayloadError::Empty));
        assert_eq!(read(&[&[0x80]]), Err(DepayloadError::Malformed));
        assert_eq!(read(&[&[0x00, 3]]), Err(DepayloadError::Incomplete));
        let two_beginnings = [&[0x10, 1][..], &[0x10, 2]];
        assert_eq!(read(&two_beginnings), Err(DepayloadError::Incomplete));
    }

    proptest! {
        #[test]
        fn what_is_divided_is_put_together_again(
            sent in prop::collection::vec(any::<u8>(), 1..2_000),
            size in 64..300_usize,
            picture_id: u16,
        ) {
            let size = PayloadSize::new(size).expect("within its bounds");
            let payloads = Vp8Payloader::new(size, picture_id).payloads(&sent).expect("it fits");
            prop_assert!(payloads.iter().all(|payload| payload.len() <= size.bytes()));
            prop_assert_eq!(frame(payloads.iter().map(Arc::as_ref)), Ok(sent));
        }

        #[test]
        fn any_bytes_are_read(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let _ = frame(payloads.iter().map(Vec::as_slice));
        }
    }
}
