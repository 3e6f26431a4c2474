//! Payloads of H.264 (RFC 6184), packetization mode 1: units that fit together are aggregated (STAP-A), those that fit in no
//! payload are divided (FU-A).

use std::sync::Arc;

use super::{PayloadError, PayloadSize, Payloads, even_parts};
use crate::rtp::descriptor::h264::{aggregate_header, fragment_headers, unit_type};
use crate::rtp::nal_units::{Framing, contents};

/// Bytes of a length in front of an aggregated unit (RFC 6184, section 5.7.1).
const LENGTH: usize = 2;

/// The payloads of an access unit. Units of types that RTP has for itself (0, and from 24 on) are left out.
pub fn payloads(
    access_unit: &[u8],
    framing: Framing,
    size: PayloadSize,
) -> Result<Vec<Arc<[u8]>>, PayloadError> {
    let mut payloads = Payloads::of(access_unit)?;
    let mut together = Together::default();
    let units = contents(access_unit, framing);
    for unit in units.filter(|unit| is_sendable(unit)) {
        if !together.has_room(unit, size) {
            together.flush(&mut payloads)?;
        }
        if unit.len() <= size.bytes() {
            together.push(unit);
        } else {
            divide(unit, size, &mut payloads)?;
        }
    }
    together.flush(&mut payloads)?;
    payloads.finish()
}

fn is_sendable(unit: &[u8]) -> bool {
    let header = unit.first();
    header.is_some_and(|header| (1..=23).contains(&unit_type(*header)))
}

/// Units that go into one payload: a single one without a length, several with one each.
#[derive(Default)]
struct Together<'a> {
    units: Vec<&'a [u8]>,
    /// Their bytes, with a length in front of each.
    bytes: usize,
}

impl<'a> Together<'a> {
    fn has_room(&self, unit: &[u8], size: PayloadSize) -> bool {
        self.units.is_empty() || 1 + self.bytes + LENGTH + unit.len() <= size.bytes()
    }

    fn push(&mut self, unit: &'a [u8]) {
        self.bytes += LENGTH + unit.len();
        self.units.push(unit);
    }

    fn flush(&mut self, payloads: &mut Payloads) -> Result<(), PayloadError> {
        let bytes = std::mem::take(&mut self.bytes);
        let units = std::mem::take(&mut self.units);
        match units.as_slice() {
            [] => Ok(()),
            [unit] => payloads.push(unit),
            units => {
                let mut payload = Vec::with_capacity(1 + bytes);
                let headers = units.iter().filter_map(|unit| unit.first().copied());
                payload.push(aggregate_header(headers));
                for unit in units {
                    let length = u16::try_from(unit.len()).map_err(|_| PayloadError::TooLarge)?;
                    payload.extend(length.to_be_bytes());
                    payload.extend_from_slice(unit);
                }
                payloads.push(&payload)
            }
        }
    }
}

fn divide(unit: &[u8], size: PayloadSize, payloads: &mut Payloads) -> Result<(), PayloadError> {
    let (header, bytes) = unit.split_first().ok_or(PayloadError::Empty)?;
    let parts = even_parts(
        bytes,
        size.bytes() - fragment_headers(0, false, false).len(),
    );
    let last = parts.len() - 1;
    for (place, part) in parts.enumerate() {
        let headers = fragment_headers(*header, place == 0, place == last);
        payloads.push(&[&headers[..], part].concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: PayloadSize = PayloadSize::MIN;

    fn sent(units: &[&[u8]]) -> Vec<Vec<u8>> {
        let stream: Vec<_> = units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat())
            .collect();
        let payloads = payloads(&stream, Framing::StartCodes, SIZE).expect("it fits");
        payloads.iter().map(|payload| payload.to_vec()).collect()
    }

    fn unit(header: u8, length: usize) -> Vec<u8> {
        let mut unit = vec![9; length];
        unit[0] = header;
        unit
    }

    #[test]
    fn unit_that_fits_is_a_payload() {
        assert_eq!(sent(&[&[0x41, 1, 2]]), [[0x41, 1, 2]]);
        assert_eq!(sent(&[&unit(0x41, 64)]), [unit(0x41, 64)]);
    }

    #[test]
    fn units_that_fit_together_are_aggregated() {
        let sent = sent(&[&[0x67, 0x42], &[0x68], &unit(0x65, 53)]);
        let mut first = vec![0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68, 0, 53];
        first.extend(unit(0x65, 53));
        assert_eq!(first.len(), 63);
        assert_eq!(sent, [first]);
    }

    #[test]
    fn unit_that_does_not_fit_behind_others_begins_a_payload() {
        let sent = sent(&[&[0x67, 0x42], &[0x68], &unit(0x65, 55), &[0x06, 1]]);
        let first = vec![0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68];
        let mut second = vec![0x78, 0, 55];
        second.extend(unit(0x65, 55));
        second.extend([0, 2, 0x06, 1]);
        assert_eq!(sent, [first, second]);
    }

    #[test]
    fn unit_that_fits_in_no_payload_is_divided_evenly() {
        let sent = sent(&[&unit(0x65, 126)]);
        let lengths: Vec<_> = sent.iter().map(Vec::len).collect();
        assert_eq!(lengths, [2 + 42, 2 + 42, 2 + 41]);
        let headers: Vec<_> = sent.iter().map(|payload| &payload[..2]).collect();
        assert_eq!(headers, [[0x7c, 0x85], [0x7c, 0x05], [0x7c, 0x45]]);
    }

    #[test]
    fn frame_without_a_unit_to_send_is_empty() {
        let none = |data: &[u8]| payloads(data, Framing::StartCodes, SIZE);
        for data in [
            &[][..],
            &[1, 2, 3],
            &[0, 0, 1],
            &[0, 0, 1, 0x1c, 0x85, 9],
            &[0, 0, 1, 0x60, 9],
        ] {
            assert_eq!(none(data), Err(PayloadError::Empty), "{data:?}");
        }
    }

    #[test]
    fn frame_that_takes_too_many_payloads_is_refused() {
        let most = 62 * crate::frame::MAX_PACKETS_PER_FRAME;
        let frame = |bytes: usize| [&[0, 0, 1][..], &unit(0x65, 1 + bytes)].concat();
        let sent = |bytes| payloads(&frame(bytes), Framing::StartCodes, SIZE).map(|it| it.len());
        assert_eq!(sent(most), Ok(crate::frame::MAX_PACKETS_PER_FRAME));
        assert_eq!(sent(most + 1), Err(PayloadError::TooLarge));
    }
}
