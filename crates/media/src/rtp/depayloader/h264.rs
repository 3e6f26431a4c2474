//! Access units of H.264 from their payloads (RFC 6184), packetization modes 0 and 1.

use super::{DepayloadError, FrameBytes};
use crate::rtp::descriptor::h264::H264Payload;

const START_CODE: &[u8] = &[0, 0, 0, 1];

/// The access unit of payloads, as a byte stream (ITU-T H.264, annex B).
pub fn access_unit<'a>(
    payloads: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, DepayloadError> {
    let mut access_unit = FrameBytes::default();
    let mut in_fragments = false;
    for payload in payloads {
        let payload = H264Payload::read(payload).ok_or(DepayloadError::Malformed)?;
        let is_fragment = matches!(payload, H264Payload::Fragment(_));
        if in_fragments && !is_fragment {
            return Err(DepayloadError::Incomplete);
        }
        match payload {
            H264Payload::Single(unit) => push(&mut access_unit, unit)?,
            H264Payload::Aggregate(units) => {
                for unit in units {
                    push(
                        &mut access_unit,
                        unit.map_err(|_| DepayloadError::Malformed)?,
                    )?;
                }
            }
            H264Payload::Fragment(fragment) => {
                if fragment.begins == in_fragments {
                    return Err(DepayloadError::Incomplete);
                }
                if fragment.begins {
                    push(&mut access_unit, &[fragment.header])?;
                }
                access_unit.extend(fragment.bytes)?;
                in_fragments = !fragment.ends;
            }
            H264Payload::Unsupported(unit_type) => {
                return Err(DepayloadError::Unsupported(unit_type));
            }
        }
    }
    if in_fragments {
        return Err(DepayloadError::Incomplete);
    }
    access_unit.finish()
}

fn push(access_unit: &mut FrameBytes, unit: &[u8]) -> Result<(), DepayloadError> {
    access_unit.extend(START_CODE)?;
    access_unit.extend(unit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::rtp::nal_units::Framing;
    use crate::rtp::payloader::PayloadSize;
    use crate::rtp::payloader::h264::payloads;

    fn read(payloads: &[&[u8]]) -> Result<Vec<u8>, DepayloadError> {
        access_unit(payloads.iter().copied())
    }

    #[test]
    fn units_of_all_structures_are_put_together() {
        let aggregate = [0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68];
        let found = read(&[
            &aggregate,
            &[0x7c, 0x85, 1],
            &[0x7c, 0x05, 2],
            &[0x7c, 0x45, 3],
            &[0x41, 4],
        ]);
        let expected = [
            &[0, 0, 0, 1, 0x67, 0x42][..],
            &[0, 0, 0, 1, 0x68],
            &[0, 0, 0, 1, 0x65, 1, 2, 3],
            &[0, 0, 0, 1, 0x41, 4],
        ];
        assert_eq!(found, Ok(expected.concat()));
        // A fragment that is whole, which RFC 6184 forbids.
        assert_eq!(read(&[&[0x7c, 0xc5, 1]]), Ok(vec![0, 0, 0, 1, 0x65, 1]));
    }

    #[test]
    fn payloads_that_do_not_fit_together_are_incomplete() {
        let [begin, middle, end] = [&[0x7c, 0x85, 1][..], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]];
        for payloads in [
            &[begin][..],
            &[begin, middle],
            &[middle, end],
            &[end],
            &[begin, begin, end],
            &[begin, &[0x41, 4], end],
        ] {
            assert_eq!(
                read(payloads),
                Err(DepayloadError::Incomplete),
                "{payloads:?}"
            );
        }
    }

    #[test]
    fn malformed_and_unsupported_payloads_are_refused() {
        assert_eq!(read(&[]), Err(DepayloadError::Empty));
        assert_eq!(read(&[&[0x78]]), Err(DepayloadError::Empty));
        assert_eq!(read(&[&[]]), Err(DepayloadError::Malformed));
        assert_eq!(read(&[&[0x7c]]), Err(DepayloadError::Malformed));
        assert_eq!(read(&[&[0x78, 0, 9, 1]]), Err(DepayloadError::Malformed));
        assert_eq!(
            read(&[&[0x7d, 0x85, 1]]),
            Err(DepayloadError::Unsupported(29))
        );
    }

    fn unit() -> impl Strategy<Value = Vec<u8>> {
        let lengths = prop_oneof![1..40_usize, 40..600_usize];
        let bytes = lengths.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
        (bytes, 1..24_u8, 0..4_u8).prop_map(|(mut unit, unit_type, importance)| {
            unit[0] = importance << 5 | unit_type;
            if let Some(last @ 0) = unit.last_mut() {
                *last = 0x80;
            }
            unit
        })
    }

    proptest! {
        #[test]
        fn what_is_divided_is_put_together_again(
            units in prop::collection::vec(unit(), 1..12),
            size in 64..300_usize,
        ) {
            let size = PayloadSize::new(size).expect("within its bounds");
            let sent: Vec<_> = units
                .iter()
                .flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat())
                .collect();
            let payloads = payloads(&sent, Framing::Lengths(4), size).expect("it fits");
            prop_assert!(payloads.iter().all(|payload| payload.len() <= size.bytes()));
            let found = access_unit(payloads.iter().map(Arc::as_ref));
            let expected: Vec<_> = units
                .iter()
                .flat_map(|unit| [START_CODE, unit].concat())
                .collect();
            prop_assert_eq!(found, Ok(expected));
        }

        #[test]
        fn any_bytes_are_read(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let _ = access_unit(payloads.iter().map(Vec::as_slice));
        }
    }
}
