//! What sequence parameter sets of H.264 say (ITU-T H.264, section 7.3.2.1.1 and annex E).

use super::bits::BitReader;

/// NAL unit type (table 7-1).
pub(crate) const SEQUENCE_PARAMETER_SET: u8 = 7;

/// `aspect_ratio_idc` of one that is written out (table E-1).
const EXTENDED_ASPECT_RATIO: u32 = 255;

/// Widths and heights of pixels by `aspect_ratio_idc` from 1 on (table E-1).
const ASPECT_RATIOS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// A sequence parameter set, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceParameters {
    /// `profile_idc`, constraints, and `level_idc`, as in SDP (RFC 6184, section 8.1).
    pub(crate) profile_level_id: u32,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub(crate) chroma_format: u32,
    /// The greater of the depths of luma and chroma, in bits.
    pub(crate) bit_depth: u32,
    /// Whether all pictures are whole frames.
    pub(crate) progressive: bool,
    /// Width and height of a pixel, if it is said.
    pub(crate) pixel_aspect_ratio: Option<(u32, u32)>,
    /// By how many places a picture may be shown later than it comes, if it is said or follows from the rest.
    pub(crate) reordered: Option<u32>,
}

/// What stands in front of the usability information.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    profile_level_id: u32,
    chroma_format: u32,
    bit_depth: u32,
    progressive: bool,
    order_type: u32,
}

impl SequenceParameters {
    /// Reads a unit without its header; none if it is damaged.
    pub(crate) fn read(unit: &[u8]) -> Option<Self> {
        let data = without_escapes(unit);
        let mut bits = BitReader::new(&data);
        let beginning = begin(&mut bits)?;
        let usability = if bits.flag()? {
            // What is damaged behind says nothing, but what stands in front of it does.
            usability_information(&mut bits).unwrap_or_default()
        } else {
            Usability::default()
        };
        // Of order type 2, and in baseline, which has no B slices, pictures come as they are shown (8.2.1.3, A.2.1).
        let in_order = beginning.order_type == 2 || beginning.profile_level_id >> 16 == 66;
        Some(Self {
            profile_level_id: beginning.profile_level_id,
            chroma_format: beginning.chroma_format,
            bit_depth: beginning.bit_depth,
            progressive: beginning.progressive,
            pixel_aspect_ratio: usability.pixel_aspect_ratio,
            reordered: if in_order {
                Some(0)
            } else {
                usability.reordered
            },
        })
    }
}

/// Reads up to `vui_parameters_present_flag`.
pub(crate) fn begin(bits: &mut BitReader<'_>) -> Option<Beginning> {
    let profile_level_id = bits.read(24)?;
    bits.exp_golomb()?;
    let (mut chroma_format, mut bit_depth) = (1, 8);
    if matches!(
        profile_level_id >> 16,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma_format = bits.exp_golomb()?;
        if chroma_format == 3 {
            bits.read(1)?;
        }
        bit_depth = bits.exp_golomb()?.max(bits.exp_golomb()?).checked_add(8)?;
        bits.read(1)?;
        if bits.flag()? {
            let lists = if chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.exp_golomb()?;
    let order_type = bits.exp_golomb()?;
    match order_type {
        0 => _ = bits.exp_golomb()?,
        1 => {
            bits.read(1)?;
            bits.signed_exp_golomb()?;
            bits.signed_exp_golomb()?;
            for _ in 0..bits.exp_golomb()?.min(255) {
                bits.signed_exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.exp_golomb()?;
    bits.read(1)?;
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    let progressive = bits.flag()?;
    if !progressive {
        bits.read(1)?;
    }
    bits.read(1)?;
    if bits.flag()? {
        for _ in 0..4 {
            bits.exp_golomb()?;
        }
    }
    Some(Beginning {
        profile_level_id,
        chroma_format,
        bit_depth,
        progressive,
        order_type,
    })
}

/// What of the usability information matters here (annex E.1.1).
#[derive(Clone, Copy, Debug, Default)]
struct Usability {
    pixel_aspect_ratio: Option<(u32, u32)>,
    /// `max_num_reorder_frames`.
    reordered: Option<u32>,
}

fn usability_information(bits: &mut BitReader<'_>) -> Option<Usability> {
    let mut usability = Usability::default();
    if bits.flag()? {
        usability.pixel_aspect_ratio = match bits.read(8)? {
            EXTENDED_ASPECT_RATIO => Some((bits.read(16)?, bits.read(16)?)),
            number => {
                let place = usize::try_from(number).ok()?.checked_sub(1);
                place.and_then(|place| ASPECT_RATIOS.get(place).copied())
            }
        };
    }
    usability.reordered = restrictions(bits).flatten();
    Some(usability)
}

/// From `overscan_info_present_flag` to `max_num_reorder_frames`, if that is there.
fn restrictions(bits: &mut BitReader<'_>) -> Option<Option<u32>> {
    if bits.flag()? {
        bits.read(1)?;
    }
    if bits.flag()? {
        bits.read(4)?;
        if bits.flag()? {
            bits.read(24)?;
        }
    }
    if bits.flag()? {
        bits.exp_golomb()?;
        bits.exp_golomb()?;
    }
    if bits.flag()? {
        bits.read(32)?;
        bits.read(32)?;
        bits.read(1)?;
    }
    let mut decoders_described = false;
    for _ in 0..2 {
        if bits.flag()? {
            decoders_described = true;
            let count = bits.exp_golomb()?.min(31) + 1;
            bits.read(8)?;
            for _ in 0..count {
                bits.exp_golomb()?;
                bits.exp_golomb()?;
                bits.read(1)?;
            }
            bits.read(20)?;
        }
    }
    if decoders_described {
        bits.read(1)?;
    }
    bits.read(1)?;
    if !bits.flag()? {
        return Some(None);
    }
    bits.read(1)?;
    for _ in 0..4 {
        bits.exp_golomb()?;
    }
    bits.exp_golomb().map(Some)
}

fn skip_scaling_list(bits: &mut BitReader<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.signed_exp_golomb()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Removes the bytes that keep start codes out of a unit (section 7.4.1).
pub(crate) fn without_escapes(unit: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if byte == 3 && zeros >= 2 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        clean.push(byte);
    }
    clean
}
