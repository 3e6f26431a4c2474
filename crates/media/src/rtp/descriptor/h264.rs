//! The payload structures of H.264 (RFC 6184, section 5): one NAL unit, several (STAP-A), or a fragment of one (FU-A).
//!
//! Those of the interleaved mode, which nobody offers, are recognised and not read.

use super::LengthPrefixedUnits;

/// Types of NAL units (ITU-T H.264, table 7-1).
pub mod nal_unit_type {
    /// A slice of a picture that needs others.
    pub const SLICE: u8 = 1;
    /// A slice of a picture with which decoding can begin.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// A sequence parameter set.
    pub const SEQUENCE_PARAMETER_SET: u8 = 7;
    /// A picture parameter set.
    pub const PICTURE_PARAMETER_SET: u8 = 8;
    /// What stands in front of an access unit.
    pub const ACCESS_UNIT_DELIMITER: u8 = 9;
}

/// Types of packets beyond those of NAL units (RFC 6184, table 1).
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// The part of a header that is its unit's type.
const TYPE: u8 = 0x1f;

const BEGINS: u8 = 0x80;
const ENDS: u8 = 0x40;

/// A payload.
#[derive(Clone, Copy, Debug)]
pub enum H264Payload<'a> {
    /// One NAL unit.
    Single(&'a [u8]),
    /// Several, which share a time (STAP-A).
    Aggregate(LengthPrefixedUnits<'a>),
    /// A part of one (FU-A).
    Fragment(H264Fragment<'a>),
    /// Of this type, which is reserved, or of the interleaved mode: STAP-B (25), MTAP (26, 27), FU-B (29).
    Unsupported(u8),
}

/// A part of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H264Fragment<'a> {
    /// The header of the unit, which is not among the bytes.
    pub header: u8,
    /// Whether it is the first.
    pub begins: bool,
    /// Whether it is the last.
    pub ends: bool,
    /// Bytes of the unit.
    pub bytes: &'a [u8],
}

/// The type in the header of a NAL unit.
pub fn unit_type(header: u8) -> u8 {
    header & TYPE
}

impl<'a> H264Payload<'a> {
    /// Reads a payload; none if it is cut short.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let (indicator, rest) = payload.split_first()?;
        Some(match indicator & TYPE {
            1..=23 => Self::Single(payload),
            STAP_A => Self::Aggregate(LengthPrefixedUnits::new(rest)),
            FU_A => {
                let (header, bytes) = rest.split_first()?;
                Self::Fragment(H264Fragment {
                    header: indicator & !TYPE | header & TYPE,
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
            Self::Fragment(fragment) => (fragment.begins.then_some(fragment.header), None),
            Self::Unsupported(_) => (None, None),
        };
        let aggregate = aggregate.into_iter().flatten();
        let aggregate = aggregate.map_while(|unit| unit.ok()?.first().copied());
        single.into_iter().chain(aggregate).map(unit_type)
    }
}

/// The two bytes in front of a part of a unit with this header.
pub fn fragment_headers(header: u8, begins: bool, ends: bool) -> [u8; 2] {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let ends = flag(begins, BEGINS) | flag(ends, ENDS);
    [header & !TYPE | FU_A, ends | header & TYPE]
}

/// The byte in front of several units: as important as the most important of them, and damaged if one is (RFC 6184, section 5.7).
pub fn aggregate_header(headers: impl IntoIterator<Item = u8>) -> u8 {
    let (damaged, importance) = headers
        .into_iter()
        .fold((0, 0), |(damaged, importance), header| {
            (damaged | header & 0x80, importance.max(header & 0x60))
        });
    damaged | importance | STAP_A
}

#[cfg(test)]
mod tests {
    use super::super::MalformedUnit;
    use super::*;

    fn read(payload: &[u8]) -> H264Payload<'_> {
        H264Payload::read(payload).expect("a payload")
    }

    fn types(payload: &[u8]) -> Vec<u8> {
        read(payload).unit_types().collect()
    }

    #[test]
    fn single_unit_is_the_whole_payload() {
        assert!(matches!(
            read(&[0x65, 1, 2]),
            H264Payload::Single(&[0x65, 1, 2])
        ));
        assert_eq!(types(&[0x65, 1, 2]), [5]);
    }

    #[test]
    fn aggregate_holds_its_units() {
        let payload = [0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68];
        let H264Payload::Aggregate(units) = read(&payload) else {
            panic!("an aggregate");
        };
        let units: Vec<_> = units.collect();
        assert_eq!(units, [Ok(&[0x67, 0x42][..]), Ok(&[0x68])]);
        assert_eq!(types(&payload), [7, 8]);
        assert_eq!(types(&[0x78, 0, 1, 0x67, 0xff, 0xff, 0x65]), [7]);
        let H264Payload::Aggregate(mut units) = read(&[0x78, 0]) else {
            panic!("an aggregate");
        };
        assert_eq!(units.next(), Some(Err(MalformedUnit)));
        assert_eq!(aggregate_header([0x67, 0x48, 0x06]), 0x78);
    }

    #[test]
    fn fragment_has_the_header_of_its_unit() {
        let H264Payload::Fragment(fragment) = read(&[0x7c, 0x85, 9]) else {
            panic!("a fragment");
        };
        let expected = H264Fragment {
            header: 0x65,
            begins: true,
            ends: false,
            bytes: &[9],
        };
        assert_eq!(fragment, expected);
        assert_eq!(fragment_headers(0x65, true, false), [0x7c, 0x85]);
        assert_eq!(fragment_headers(0x41, false, true), [0x5c, 0x41]);
        assert_eq!(types(&[0x7c, 0x85]), [5]);
        assert_eq!(types(&[0x7c, 0x05]), []);
        assert!(H264Payload::read(&[0x7c]).is_none());
        assert!(H264Payload::read(&[]).is_none());
    }

    #[test]
    fn interleaved_and_reserved_types_are_unsupported() {
        for kind in [0, 25, 26, 27, 29, 30, 31] {
            let payload = [0x60 | kind, 0, 1, 0x65];
            assert!(matches!(read(&payload), H264Payload::Unsupported(it) if it == kind));
            assert_eq!(types(&payload), []);
        }
    }
}
