//! The video usability information of H.264 (ITU-T H.264, annex E), in byte streams.

use super::{BT601, LIMITED};
use crate::bitstream::bits::{BitReader, BitWriter, end_of_bits};
use crate::bitstream::h264::{SEQUENCE_PARAMETER_SET, begin, without_escapes};

/// `video_format`: unspecified (table E-2).
const UNSPECIFIED_FORMAT: u32 = 5;

/// An access unit in which sequence parameter sets say that pictures are of BT.601; none if there is none of them.
pub(super) fn described(access_unit: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut place = 0;
    while let Some(begin) = next_unit(access_unit, place) {
        place = begin;
        let unit = access_unit.get(begin..)?;
        let header = *unit.first()?;
        if header & 0x1f != SEQUENCE_PARAMETER_SET {
            // What follows a slice is of the same picture.
            if matches!(header & 0x1f, 1..=5) {
                break;
            }
            continue;
        }
        let end = begin + end_of_unit(unit);
        let Some(set) = parameter_set(&without_escapes(access_unit.get(begin + 1..end)?)) else {
            continue;
        };
        let out = out.get_or_insert_default();
        out.extend_from_slice(access_unit.get(copied..=begin)?);
        out.extend(with_escapes(&set));
        copied = end;
    }
    let mut out = out?;
    out.extend_from_slice(access_unit.get(copied..)?);
    Some(out)
}

/// Where the unit behind the next start code begins.
fn next_unit(data: &[u8], from: usize) -> Option<usize> {
    let mut windows = data.get(from..)?.windows(3);
    let code = windows.position(|window| window == [0, 0, 1])?;
    Some(from + code + 3)
}

/// Where a unit ends: at the next start code, the zeros in front of which belong to neither.
fn end_of_unit(unit: &[u8]) -> usize {
    let end = unit
        .windows(3)
        .position(|window| matches!(window, [0, 0, 0 | 1]));
    end.unwrap_or(unit.len())
}

/// A set with the description, without the byte of its header.
fn parameter_set(data: &[u8]) -> Option<Vec<u8>> {
    let mut bits = BitReader::new(data);
    begin(&mut bits)?;
    let flag = bits.place();
    let mut out = BitWriter::default();
    out.copy(data, 0..flag);
    out.write(1, 1);
    if !bits.flag()? {
        // Neither aspect ratio nor overscan; behind the colours neither chroma location, timing, decoder models,
        // structure nor restrictions.
        out.write(0, 2);
        write_colours(&mut out);
        out.write(0, 6);
        return Some(out.finish());
    }
    let begin = bits.place();
    if bits.flag()? && bits.read(8)? == 255 {
        bits.read(32)?;
    }
    if bits.flag()? {
        bits.read(1)?;
    }
    out.copy(data, begin..bits.place());
    if bits.flag()? {
        bits.read(4)?;
        if bits.flag()? {
            bits.read(24)?;
        }
    }
    write_colours(&mut out);
    out.copy(data, bits.place()..end_of_bits(data)?);
    Some(out.finish())
}

fn write_colours(out: &mut BitWriter) {
    out.write(1, 1);
    out.write(UNSPECIFIED_FORMAT, 3);
    out.write(LIMITED, 1);
    out.write(1, 1);
    for _ in 0..3 {
        out.write(BT601, 8);
    }
}

fn with_escapes(unit: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(unit.len() + 4);
    let mut zeros = 0;
    for &byte in unit {
        if byte <= 3 && zeros >= 2 {
            escaped.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        escaped.push(byte);
    }
    escaped
}
