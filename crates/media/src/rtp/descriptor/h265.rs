//! The payload structures of H.265 (RFC 7798, section 4.4): one NAL unit, several (AP), or a fragment of one (FU).
//!
//! Without decoding order numbers: `sprop-max-don-diff` is 0, the default. PACI packets are recognised and not read.

use std::ops::RangeInclusive;

use super::LengthPrefixedUnits;

/// Types of NAL units (ITU-T H.265, table 7-1).
pub mod nal_unit_type {
    use super::RangeInclusive;

    /// Pictures with which decoding can begin, types reserved for such included.
    pub const RANDOM_ACCESS: RangeInclusive<u8> = 16..=23;
    /// Slices of pictures.
    pub const SLICES: RangeInclusive<u8> = 0..=31;
    /// A video parameter set.
    pub const VIDEO_PARAMETER_SET: u8 = 32;
    /// A sequence parameter set.
    pub const SEQUENCE_PARAMETER_SET: u8 = 33;
    /// A picture parameter set.
    pub const PICTURE_PARAMETER_SET: u8 = 34;
    /// What stands in front of an access unit.
    pub const ACCESS_UNIT_DELIMITER: u8 = 35;
    /// Supplemental enhancement information in front of a picture.
    pub const PREFIX_SEI: u8 = 39;
}

/// Types of packets beyond those of NAL units (RFC 7798, sections 4.4.2 to 4.4.4).
const AGGREGATION: u8 = 48;
const FRAGMENT: u8 = 49;

/// The part of a fragment's header that is its unit's type.
const FRAGMENT_TYPE: u8 = 0x3f;

const BEGINS: u8 = 0x80;
const ENDS: u8 = 0x40;

/// A payload.
#[derive(Clone, Copy, Debug)]
pub enum H265Payload<'a> {
    /// One NAL unit.
    Single(&'a [u8]),
    /// Several, which share a time (AP).
    Aggregate(LengthPrefixedUnits<'a>),
    /// A part of one (FU).
    Fragment(H265Fragment<'a>),
    /// Of this type: PACI (50), or reserved.
    Unsupported(u8),
}

/// A part of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H265Fragment<'a> {
    /// The header of the unit, which is not among the bytes.
    pub header: [u8; 2],
    /// Whether it is the first.
    pub begins: bool,
    /// Whether it is the last.
    pub ends: bool,
    /// Bytes of the unit.
    pub bytes: &'a [u8],
}

/// The type in the first byte of the header of a NAL unit.
pub fn unit_type(header: u8) -> u8 {
    header >> 1 & 0x3f
}

impl<'a> H265Payload<'a> {
    /// Reads a payload; none if it is cut short.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let (&[first, second], rest) = payload.split_first_chunk::<2>()?;
        Some(match unit_type(first) {
            0..=47 => Self::Single(payload),
            AGGREGATION => Self::Aggregate(LengthPrefixedUnits::new(rest)),
            FRAGMENT => {
                let (header, bytes) = rest.split_first()?;
                Self::Fragment(H265Fragment {
                    header: [first & 0x81 | (header & FRAGMENT_TYPE) << 1, second],
                    begins: header & BEGINS != 0,
                    ends: header & ENDS != 0,
                    bytes,
                })
            }
            other => Self::Unsupported(other),
        })
    }

    /// The types of the units that begin in it, up to the first that is malformed.
    pub fn unit_types(self) -> impl Iterator<Item = u8> {
        let (single, aggregate) = match self {
            Self::Single(unit) => (unit.first().copied(), None),
            Self::Aggregate(units) => (None, Some(units)),
            Self::Fragment(fragment) => {
                let [header, _] = fragment.header;
                (fragment.begins.then_some(header), None)
            }
            Self::Unsupported(_) => (None, None),
        };
        let aggregate = aggregate.into_iter().flatten();
        let aggregate = aggregate.map_while(|unit| unit.ok()?.first().copied());
        single.into_iter().chain(aggregate).map(unit_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> H265Payload<'_> {
        H265Payload::read(payload).expect("a payload")
    }

    fn types(payload: &[u8]) -> Vec<u8> {
        read(payload).unit_types().collect()
    }

    #[test]
    fn single_unit_is_the_whole_payload() {
        let payload = [0x26, 0x01, 0xaf];
        assert!(matches!(read(&payload), H265Payload::Single(unit) if unit == payload));
        assert_eq!(types(&payload), [19]);
        assert!(H265Payload::read(&[0x26]).is_none());
    }

    #[test]
    fn aggregate_holds_its_units() {
        let payload = [0x60, 0x01, 0, 2, 0x40, 0x01, 0, 3, 0x44, 0x01, 9];
        assert_eq!(types(&payload), [32, 34]);
        assert_eq!(types(&payload[..10]), [32]);
    }

    #[test]
    fn fragment_has_the_header_of_its_unit() {
        // Layer 33 and temporal id 1 go over from the packet's header.
        let H265Payload::Fragment(fragment) = read(&[0x63, 0x0a, 0x93, 9]) else {
            panic!("a fragment");
        };
        let expected = H265Fragment {
            header: [0x27, 0x0a],
            begins: true,
            ends: false,
            bytes: &[9],
        };
        assert_eq!(fragment, expected);
        assert_eq!(types(&[0x62, 0x01, 0x93]), [19]);
        assert_eq!(types(&[0x62, 0x01, 0x13]), []);
        assert!(H265Payload::read(&[0x62, 0x01]).is_none());
    }

    #[test]
    fn other_types_are_unsupported() {
        for kind in 50..=63 {
            let payload = [kind << 1, 0x01, 0, 1];
            assert!(matches!(read(&payload), H265Payload::Unsupported(it) if it == kind));
        }
    }
}
