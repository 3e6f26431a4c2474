//! As much of the NAL units of H.264 and H.265 as says which pieces are of the same picture.

use std::ops::Range;

/// What separates NAL units within a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By start codes (annex B).
    StartCodes,
    /// By a length of so many bytes in front of each (ISO/IEC 14496-15).
    Lengths(usize),
}

/// Which standard the units are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standard {
    H264,
    H265,
}

/// What a unit is in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A slice; whether it is the picture's first, and of a picture that can be decoded alone.
    Slice { first: bool, key: bool },
    /// What stands in front of a picture: parameter sets, delimiters, SEI. Behind a slice, parsers take it for
    /// the beginning of the next picture.
    Prefix,
    /// What may stand anywhere.
    Other,
}

/// The units of a buffer, each with its place: from its start code or length to the next one's.
pub(super) fn units(
    data: &[u8],
    framing: Framing,
    standard: Standard,
) -> Vec<(Range<usize>, Unit)> {
    let places = match framing {
        Framing::StartCodes => by_start_codes(data),
        Framing::Lengths(size) => by_lengths(data, size),
    };
    let unit = |(whole, content): (Range<usize>, Range<usize>)| {
        let unit = data
            .get(content)
            .map_or(Unit::Other, |unit| kind(unit, standard));
        (whole, unit)
    };
    places.into_iter().map(unit).collect()
}

/// Whether the first slice of a buffer is the first of a picture that can be decoded alone.
pub(super) fn begins_key_frame(data: &[u8], framing: Framing, standard: Standard) -> bool {
    let slice = |content: Range<usize>| match kind(data.get(content)?, standard) {
        Unit::Slice { first, key } => Some(first && key),
        Unit::Prefix | Unit::Other => None,
    };
    let first = match framing {
        // As far as that slice only: the rest of a picture is long.
        Framing::StartCodes => {
            let mut place = 0;
            std::iter::from_fn(|| {
                place += next_start_code(data.get(place..)?)? + START_CODE;
                Some(slice(place..data.len()))
            })
            .find_map(|found| found)
        }
        Framing::Lengths(size) => by_lengths(data, size)
            .into_iter()
            .find_map(|(_, content)| slice(content)),
    };
    first.unwrap_or(false)
}

/// The place of each unit with what is in front of it, and without.
type Place = (Range<usize>, Range<usize>);

fn by_start_codes(data: &[u8]) -> Vec<Place> {
    let mut starts = Vec::new();
    let mut place = 0;
    while let Some(found) = data.get(place..).and_then(next_start_code) {
        let code = place + found;
        // The zero byte of a long start code belongs to it.
        let long = code > place && data.get(code - 1) == Some(&0);
        starts.push((code - usize::from(long), code + START_CODE));
        place = code + START_CODE;
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start);
    let ends: Vec<_> = ends.chain([data.len()]).collect();
    let places = starts.into_iter().zip(ends);
    places
        .map(|((whole, content), end)| (whole..end, content.min(end)..end))
        .collect()
}

const START_CODE: usize = 3;

fn next_start_code(data: &[u8]) -> Option<usize> {
    data.windows(START_CODE)
        .position(|window| window == [0, 0, 1])
}

fn by_lengths(data: &[u8], size: usize) -> Vec<Place> {
    let mut places = Vec::new();
    let mut place = 0;
    while let Some(length) = data.get(place..place + size) {
        let length = length
            .iter()
            .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        let content = place + size;
        let end = content.saturating_add(length).min(data.len());
        places.push((place..end, content..end));
        place = end.max(content);
    }
    places
}

fn kind(unit: &[u8], standard: Standard) -> Unit {
    match (standard, unit) {
        // ITU-T H.264, table 7-1. The slice's header begins with the number of its first macroblock, whose code is
        // a single one bit if it is 0 (7.3.3, 9.1).
        (Standard::H264, [header, slice, ..]) => match header & 0x1f {
            kind @ (1 | 2 | 5) => Unit::Slice {
                first: slice & 0x80 != 0,
                key: kind == 5,
            },
            6..=9 | 13..=15 => Unit::Prefix,
            _ => Unit::Other,
        },
        // ITU-T H.265, table 7-1; `first_slice_segment_in_pic_flag` (7.3.6.1). From 16 to 23 are the pictures at which
        // decoding can begin.
        (Standard::H265, [header, _, slice, ..]) => match header >> 1 & 0x3f {
            kind @ 0..=31 => Unit::Slice {
                first: slice & 0x80 != 0,
                key: (16..=23).contains(&kind),
            },
            32..=35 | 39 => Unit::Prefix,
            _ => Unit::Other,
        },
        // A delimiter may be as short as its header.
        (Standard::H264, [header]) if header & 0x1f == 9 => Unit::Prefix,
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
    fn key_frame_is_told_by_its_first_slice() {
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
