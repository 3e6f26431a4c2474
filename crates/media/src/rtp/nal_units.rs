//! NAL units of H.264 and H.265 in a buffer, and as much of them as says which are of the same picture.

use std::ops::Range;

use super::descriptor::{h264, h265};

/// What separates NAL units within a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Start codes (ITU-T H.264 and H.265, annex B).
    StartCodes,
    /// A length of so many bytes in front of each (ISO/IEC 14496-15, section 5.3.3.1.2).
    Lengths(usize),
}

/// Which standard the units are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// What a unit is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A slice.
    Slice {
        /// Whether it is the picture's first.
        first: bool,
        /// Whether the picture can be decoded alone.
        key: bool,
    },
    /// What stands in front of a picture: parameter sets, delimiters, SEI. Behind a slice, parsers take it for
    /// the beginning of the next picture.
    Prefix,
    /// What may stand anywhere.
    Other,
}

/// The place of a unit in its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From its start code or length to the next one's.
    pub whole: Range<usize>,
    /// The same without the start code or length; zeros in front of the next start code are of neither, and stand at its end.
    pub content: Range<usize>,
}

/// The units of a buffer, from its beginning.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    data: &'a [u8],
    framing: Framing,
    /// Where the next unit begins: the place of its start code, or of its length.
    next: Option<usize>,
}

/// The places of the units of a buffer, found one after the other.
pub fn places(data: &[u8], framing: Framing) -> Places<'_> {
    let next = match framing {
        Framing::StartCodes => next_start_code(data),
        Framing::Lengths(_) => Some(0),
    };
    Places {
        data,
        framing,
        next,
    }
}

/// Where the units of a byte stream begin, behind their start codes, found one after the other.
pub fn starts(data: &[u8]) -> impl Iterator<Item = usize> {
    let mut place = 0;
    std::iter::from_fn(move || {
        place += next_start_code(data.get(place..)?)? + START_CODE;
        Some(place)
    })
}

/// The unit of a byte stream that begins at a place, as [`contents`] has it.
pub fn unit_at(data: &[u8], start: usize) -> Option<&[u8]> {
    let rest = data.get(start..)?;
    let end = next_start_code(rest).unwrap_or(rest.len());
    without_zeros(rest.get(..end)?)
}

/// The units of a buffer, with their headers and without zeros behind their last byte, which none ends with (ITU-T H.264,
/// section 7.4.1). Empty ones are left out.
pub fn contents(data: &[u8], framing: Framing) -> impl Iterator<Item = &[u8]> {
    places(data, framing).filter_map(|place| without_zeros(data.get(place.content)?))
}

/// The units of a buffer, each with its place: from its start code or length to the next one's.
pub fn units(data: &[u8], framing: Framing, standard: Standard) -> Vec<(Range<usize>, Unit)> {
    let unit = |place: Place| {
        let unit = data
            .get(place.content)
            .map_or(Unit::Other, |unit| kind(unit, standard));
        (place.whole, unit)
    };
    places(data, framing).map(unit).collect()
}

/// Whether the first slice of a buffer is the first of a picture that can be decoded alone.
pub fn begins_key_frame(data: &[u8], framing: Framing, standard: Standard) -> bool {
    let slice = |content: Range<usize>| match kind(data.get(content)?, standard) {
        Unit::Slice { first, key } => Some(first && key),
        Unit::Prefix | Unit::Other => None,
    };
    let first = match framing {
        // As far as that slice only: the rest of a picture is long.
        Framing::StartCodes => starts(data).find_map(|start| slice(start..data.len())),
        Framing::Lengths(_) => places(data, framing).find_map(|place| slice(place.content)),
    };
    first.unwrap_or(false)
}

impl Iterator for Places<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let begin = self.next.take()?;
        match self.framing {
            Framing::StartCodes => {
                let content = begin + START_CODE;
                let rest = self.data.get(content..)?;
                self.next = next_start_code(rest).map(|place| content + place);
                let next = self.next.map(|next| with_zero(self.data, next));
                let end = next.unwrap_or(self.data.len());
                Some(Place {
                    whole: with_zero(self.data, begin)..end,
                    content: content..end,
                })
            }
            Framing::Lengths(0) => None,
            Framing::Lengths(size) => {
                let content = begin + size;
                let length = self.data.get(begin..content)?;
                let length = length
                    .iter()
                    .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                let end = content.saturating_add(length).min(self.data.len());
                self.next = Some(end);
                Some(Place {
                    whole: begin..end,
                    content: content..end,
                })
            }
        }
    }
}

/// A unit up to its last byte that is not zero; none if there is no such byte.
fn without_zeros(unit: &[u8]) -> Option<&[u8]> {
    let last = unit.iter().rposition(|byte| *byte != 0)?;
    unit.get(..=last)
}

/// Where the start code at a place begins, with the zero byte of a long one.
fn with_zero(data: &[u8], code: usize) -> usize {
    let has_zero = code > 0 && data.get(code - 1) == Some(&0);
    code - usize::from(has_zero)
}

const START_CODE: usize = 3;

fn next_start_code(data: &[u8]) -> Option<usize> {
    data.windows(START_CODE)
        .position(|window| window == [0, 0, 1])
}

fn kind(unit: &[u8], standard: Standard) -> Unit {
    match (standard, unit) {
        // ITU-T H.264, table 7-1. The slice's header begins with the number of its first macroblock, whose code is
        // a single one bit if it is 0 (7.3.3, 9.1).
        (Standard::H264, [header, slice, ..]) => match h264::unit_type(*header) {
            // Partition A (2) has a header like a slice's (7.3.2.9.1).
            kind @ (h264::nal_unit_type::SLICE | 2 | h264::nal_unit_type::IDR) => Unit::Slice {
                first: slice & 0x80 != 0,
                key: kind == h264::nal_unit_type::IDR,
            },
            6..=9 | 13..=15 => Unit::Prefix,
            _ => Unit::Other,
        },
        // ITU-T H.265, table 7-1; `first_slice_segment_in_pic_flag` (7.3.6.1).
        (Standard::H265, [header, _, slice, ..]) => match h265::unit_type(*header) {
            kind if h265::nal_unit_type::SLICES.contains(&kind) => Unit::Slice {
                first: slice & 0x80 != 0,
                key: h265::nal_unit_type::RANDOM_ACCESS.contains(&kind),
            },
            32..=35 | 39 => Unit::Prefix,
            _ => Unit::Other,
        },
        // A delimiter may be as short as its header.
        (Standard::H264, [header])
            if h264::unit_type(*header) == h264::nal_unit_type::ACCESS_UNIT_DELIMITER =>
        {
            Unit::Prefix
        }
        _ => Unit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Unit = Unit::Slice {
        first: true,
        key: true,
    };
    const FURTHER: Unit = Unit::Slice {
        first: false,
        key: false,
    };

    #[test]
    fn start_codes_of_both_lengths_divide_units() {
        let data = [
            0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x65, 0x88, 9, 0, 0, 1, 0x41, 0x40,
        ];
        let found = units(&data, Framing::StartCodes, Standard::H264);
        assert_eq!(
            found,
            [(0..6, Unit::Prefix), (6..12, FIRST), (12..17, FURTHER)]
        );
    }

    #[test]
    fn lengths_divide_units_and_may_exceed_the_buffer() {
        let data = [0, 0, 0, 2, 0x65, 0x88, 0, 0, 0, 9, 0x41, 0x40];
        let found = units(&data, Framing::Lengths(4), Standard::H264);
        assert_eq!(found, [(0..6, FIRST), (6..12, FURTHER)]);
    }

    #[test]
    fn contents_are_without_what_separates_them() {
        let data = [
            9, 0, 0, 0, 1, 0x67, 0x42, 0, 0, 0, 0, 1, 0x68, 0, 0, 1, 0, 0, 1, 0x65, 0, 0,
        ];
        let found: Vec<_> = contents(&data, Framing::StartCodes).collect();
        assert_eq!(found, [&[0x67, 0x42][..], &[0x68], &[0x65]]);
        let starts: Vec<_> = starts(&data).collect();
        assert_eq!(starts, [5, 12, 16, 19]);
        let units = starts.iter().map(|start| unit_at(&data, *start));
        let expected = [Some(&[0x67, 0x42][..]), Some(&[0x68]), None, Some(&[0x65])];
        assert_eq!(units.collect::<Vec<_>>(), expected);
        let data = [0, 2, 0x65, 0x88, 0, 0, 0, 1, 0x41];
        let found: Vec<_> = contents(&data, Framing::Lengths(2)).collect();
        assert_eq!(found, [&[0x65, 0x88][..], &[0x41]]);
    }

    #[test]
    fn key_frame_is_known_by_its_first_slice() {
        let key = [
            0, 0, 0, 1, 0x67, 0x42, 0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x41, 0x80,
        ];
        let found = |data| begins_key_frame(data, Framing::StartCodes, Standard::H264);
        assert!(found(&key));
        assert!(!found(&[0, 0, 1, 0x65, 0x40]), "a further slice");
        assert!(!found(&[0, 0, 1, 0x41, 0x80, 0, 0, 1, 0x65, 0x88]));
        assert!(!found(&key[..6]), "parameter sets alone");
        let lengths = [0, 0, 0, 1, 0x67, 0, 0, 0, 2, 0x65, 0x88];
        assert!(begins_key_frame(
            &lengths,
            Framing::Lengths(4),
            Standard::H264
        ));
    }

    #[test]
    fn h265_says_which_slice_is_the_first() {
        let data = [
            0, 0, 1, 0x42, 1, 1, 0, 0, 1, 0x26, 1, 0x80, 0, 0, 1, 0x02, 1, 0x40,
        ];
        let found = units(&data, Framing::StartCodes, Standard::H265);
        let found: Vec<_> = found.into_iter().map(|(_, unit)| unit).collect();
        assert_eq!(found, [Unit::Prefix, FIRST, FURTHER]);
    }

    #[test]
    fn any_bytes_have_places_within_the_buffer() {
        let mut data: Vec<u8> = Vec::new();
        let mut seed = 1u32;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            data.push((seed >> 24) as u8 % 3);
            for framing in [
                Framing::StartCodes,
                Framing::Lengths(1),
                Framing::Lengths(4),
            ] {
                let tail = &data[data.len().saturating_sub(40)..];
                for (place, _) in units(tail, framing, Standard::H265) {
                    assert!(place.start <= place.end && place.end <= tail.len());
                }
            }
        }
    }
}
