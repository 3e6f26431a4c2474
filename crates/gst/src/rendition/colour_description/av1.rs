//! The sequence header of AV1 (AV1 Bitstream & Decoding Process Specification, sections 5.5 and 6.4.2), in OBUs with
//! sizes.

use super::{BT601, LIMITED};
use crate::bitstream::bits::{BitReader, BitWriter, end_of_bits};

const SEQUENCE_HEADER: u8 = 1;

/// A temporal unit in which sequence headers say that pictures are of BT.601; none if there is none of them.
pub(super) fn described(temporal_unit: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut place = 0;
    while let Some(&header) = temporal_unit.get(place) {
        let has_extension = header & 4 != 0;
        if header & 2 == 0 {
            // Without a size it is the last one.
            break;
        }
        let head = 1 + usize::from(has_extension);
        let (size, length) = size(temporal_unit.get(place + head..)?)?;
        let begin = place + head + length;
        let end = begin.checked_add(size)?;
        let content = temporal_unit.get(begin..end)?;
        if header >> 3 & 0xf == SEQUENCE_HEADER
            && let Some(content) = sequence_header(content)
        {
            let out = out.get_or_insert_default();
            out.extend_from_slice(temporal_unit.get(copied..place + head)?);
            write_size(out, content.len());
            out.extend(content);
            copied = end;
        }
        place = end;
    }
    let mut out = out?;
    out.extend_from_slice(temporal_unit.get(copied..)?);
    Some(out)
}

/// `leb128()`, and how many bytes it takes (section 4.10.5).
fn size(data: &[u8]) -> Option<(usize, usize)> {
    let mut size = 0;
    for (place, byte) in data.iter().take(8).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((size, place + 1));
        }
    }
    None
}

fn write_size(out: &mut Vec<u8>, mut size: usize) {
    while size > 0x7f {
        out.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    out.push(size as u8);
}

/// A sequence header with the description; none of profiles that the sink does not make.
fn sequence_header(data: &[u8]) -> Option<Vec<u8>> {
    let mut bits = BitReader::new(data);
    let profile = skip_to_colours(&mut bits)?;
    let high_depth = bits.flag()?;
    if profile != 0 || high_depth {
        return None;
    }
    let monochrome = bits.flag()?;
    let mut out = BitWriter::default();
    out.copy(data, 0..bits.place());
    if bits.flag()? {
        bits.read(24)?;
    }
    let range = bits.flag()?;
    if monochrome || range {
        return None;
    }
    out.write(1, 1);
    for _ in 0..3 {
        out.write(BT601, 8);
    }
    out.write(LIMITED, 1);
    out.copy(data, bits.place()..end_of_bits(data)?);
    Some(out.finish())
}

/// Up to `color_config()`; gives the profile.
fn skip_to_colours(bits: &mut BitReader<'_>) -> Option<u32> {
    let profile = bits.read(3)?;
    bits.read(1)?;
    let reduced = bits.flag()?;
    if reduced {
        bits.read(5)?;
    } else {
        skip_operating_points(bits)?;
    }
    let (width, height) = (bits.read(4)? + 1, bits.read(4)? + 1);
    bits.read(width)?;
    bits.read(height)?;
    if !reduced && bits.flag()? {
        bits.read(7)?;
    }
    bits.read(3)?;
    if !reduced {
        bits.read(4)?;
        let order_hint = bits.flag()?;
        if order_hint {
            bits.read(2)?;
        }
        let screen_content = bits.flag()? || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.read(1)?;
        }
        if order_hint {
            bits.read(3)?;
        }
    }
    bits.read(3)?;
    Some(profile)
}

fn skip_operating_points(bits: &mut BitReader<'_>) -> Option<()> {
    let mut delay_length = None;
    if bits.flag()? {
        bits.read(32)?;
        bits.read(32)?;
        if bits.flag()? {
            bits.exp_golomb()?;
        }
        if bits.flag()? {
            delay_length = Some(bits.read(5)? + 1);
            bits.read(32)?;
            bits.read(10)?;
        }
    }
    let initial_delay = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.read(12)?;
        if bits.read(5)? > 7 {
            bits.read(1)?;
        }
        if let Some(length) = delay_length
            && bits.flag()?
        {
            bits.read(length)?;
            bits.read(length)?;
            bits.read(1)?;
        }
        if initial_delay && bits.flag()? {
            bits.read(4)?;
        }
    }
    Some(())
}
