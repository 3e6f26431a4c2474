//! As much of H.264 (ITU-T H.264) as tells whether a browser can take it: parameter sets, and the types of
//! slices.

/// NAL unit types (table 7-1).
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETER_SET: u8 = 7;

/// What a sequence parameter set says (section 7.3.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceParameters {
    /// `profile_idc`.
    pub(crate) profile: u8,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub(crate) chroma_format: u32,
    /// The greater of the depths of luma and chroma, in bits.
    pub(crate) bit_depth: u32,
    /// Whether all pictures are whole frames.
    pub(crate) progressive: bool,
    /// Whether pictures are known to be shown in the order in which they come.
    pub(crate) in_order: bool,
}

/// A part of a picture that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A sequence parameter set; none if it cannot be read.
    Parameters(Option<SequenceParameters>),
    /// A slice; whether it is a B slice.
    Slice {
        /// Predicted from two directions.
        bidirectional: bool,
    },
}

/// The parts of an access unit in the byte stream format (annex B).
pub(crate) fn parts(access_unit: &[u8]) -> Vec<Part> {
    nal_units(access_unit).filter_map(part).collect()
}

fn part(unit: &[u8]) -> Option<Part> {
    let (header, rest) = unit.split_first()?;
    match header & 0x1f {
        SLICE | IDR_SLICE => {
            let head = without_escapes(&rest[..rest.len().min(16)]);
            let mut bits = Bits::new(&head);
            let _first_macroblock = bits.exp_golomb()?;
            // Table 7-6: the same types from 5 on say that all slices of the picture are of it.
            let bidirectional = bits.exp_golomb()? % 5 == 1;
            Some(Part::Slice { bidirectional })
        }
        SEQUENCE_PARAMETER_SET => Some(Part::Parameters(parameters(&without_escapes(rest)))),
        _ => None,
    }
}

fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = unit
            .windows(3)
            .position(|window| window == [0, 0, 1])
            .unwrap_or(unit.len());
        rest = after_start_code(&unit[end..]);
        Some(&unit[..end])
    })
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let start = stream.windows(3).position(|window| window == [0, 0, 1])?;
    Some(&stream[start + 3..])
}

/// Removes the bytes that keep start codes out of a unit (section 7.4.1).
fn without_escapes(unit: &[u8]) -> Vec<u8> {
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

fn parameters(data: &[u8]) -> Option<SequenceParameters> {
    let mut bits = Bits::new(data);
    let profile = u8::try_from(bits.read(8)?).ok()?;
    let _constraints_and_level = bits.read(16)?;
    let _id = bits.exp_golomb()?;
    let (mut chroma_format, mut bit_depth) = (1, 8);
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    ) {
        chroma_format = bits.exp_golomb()?;
        if chroma_format == 3 {
            bits.read(1)?;
        }
        bit_depth = bits.exp_golomb()?.max(bits.exp_golomb()?).checked_add(8)?;
        let _transform_bypass = bits.read(1)?;
        if bits.read(1)? == 1 {
            let lists = if chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.read(1)? == 1 {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let _frame_number_size = bits.exp_golomb()?;
    let order_type = bits.exp_golomb()?;
    if order_type == 0 {
        bits.exp_golomb()?;
    } else if order_type == 1 {
        bits.read(1)?;
        bits.exp_golomb()?;
        bits.exp_golomb()?;
        for _ in 0..bits.exp_golomb()?.min(255) {
            bits.exp_golomb()?;
        }
    }
    let _reference_frames = bits.exp_golomb()?;
    let _gaps_allowed = bits.read(1)?;
    let _size = (bits.exp_golomb()?, bits.exp_golomb()?);
    let progressive = bits.read(1)? == 1;
    if !progressive {
        bits.read(1)?;
    }
    let _direct_8x8 = bits.read(1)?;
    if bits.read(1)? == 1 {
        for _ in 0..4 {
            bits.exp_golomb()?;
        }
    }
    // Pictures of order type 2 cannot be reordered (section 8.2.1.3).
    let in_order = order_type == 2
        || (bits.read(1)? == 1 && usability_information(&mut bits).flatten() == Some(0));
    Some(SequenceParameters {
        profile,
        chroma_format,
        bit_depth,
        progressive,
        in_order,
    })
}

/// `max_num_reorder_frames` of annex E.1.1, if it is said.
fn usability_information(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    const EXTENDED_ASPECT_RATIO: u32 = 255;
    if bits.read(1)? == 1 && bits.read(8)? == EXTENDED_ASPECT_RATIO {
        bits.read(32)?;
    }
    if bits.read(1)? == 1 {
        bits.read(1)?;
    }
    if bits.read(1)? == 1 {
        bits.read(4)?;
        if bits.read(1)? == 1 {
            bits.read(24)?;
        }
    }
    if bits.read(1)? == 1 {
        bits.exp_golomb()?;
        bits.exp_golomb()?;
    }
    if bits.read(1)? == 1 {
        bits.read(32)?;
        bits.read(32)?;
        bits.read(1)?;
    }
    let mut decoders_described = false;
    for _ in 0..2 {
        if bits.read(1)? == 1 {
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
    let _picture_structure = bits.read(1)?;
    if bits.read(1)? == 0 {
        return Some(None);
    }
    bits.read(1)?;
    for _ in 0..4 {
        bits.exp_golomb()?;
    }
    Some(Some(bits.exp_golomb()?))
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_exp_golomb()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Reads bits from the left.
struct Bits<'a> {
    data: &'a [u8],
    place: usize,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, place: 0 }
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.place / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.place % 8) & 1);
            self.place += 1;
        }
        Some(value)
    }

    /// `ue(v)` (section 9.1).
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }

    /// `se(v)` (section 9.1.1).
    fn signed_exp_golomb(&mut self) -> Option<i32> {
        let code = i64::from(self.exp_golomb()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}
