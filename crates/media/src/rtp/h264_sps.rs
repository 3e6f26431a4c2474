//! Sequence parameter sets of H.264 (ITU-T H.264, section 7.3.2.1.1 and annex E), read and written by `h264-reader`.
//!
//! That crate refuses a set which exceeds what its level allows, and all of one whose usability information is damaged. Cameras
//! make both, and decoders show them, so a set is read as if it were of the highest level, and once more without that
//! information if need be.

use h264_reader::nal::sps::{
    ColourDescription, FrameMbsFlags, PicOrderCntType, SeqParameterSet, VideoFormat,
    VideoSignalType,
};
use h264_reader::nal::{NalHeader, WritableNal};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, Integer, Primitive, decode_nal};

use super::descriptor::h264::nal_unit_type::SEQUENCE_PARAMETER_SET;
use super::descriptor::h264::unit_type;

/// Bytes of a set, at most: one with every scaling list and 32 descriptions of decoders, twice, has some 800.
pub const MAX_SPS_BYTES: usize = 2_048;

/// `level_idc` of level 6.2, the highest (table A-1).
const HIGHEST_LEVEL: u8 = 62;

/// `profile_idc` of baseline and constrained baseline (annex A.2.1).
const BASELINE: u8 = 66;

/// A sequence parameter set, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceParameters {
    /// `profile_idc`, constraints, and `level_idc`, as in SDP (RFC 6184, section 8.1).
    pub profile_level_id: u32,
    /// Width and height of what is shown, in pixels; none if nothing is left of the picture.
    pub size: Option<(u32, u32)>,
    /// `chroma_format_idc`: 1 is 4:2:0.
    pub chroma_format: u32,
    /// The greater of the depths of luma and chroma, in bits.
    pub bit_depth: u32,
    /// Whether all pictures are whole frames.
    pub progressive: bool,
    /// Width and height of a pixel, if it is said.
    pub pixel_aspect_ratio: Option<(u32, u32)>,
    /// By how many places a picture may be shown later than it comes, if it is said or follows from the rest.
    pub reordered: Option<u32>,
}

/// Colours as a set describes them (annex E.2.1), by the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// `video_full_range_flag`.
    pub full_range: bool,
}

impl SequenceParameters {
    /// Reads a NAL unit, its header included; none if it is another, damaged, or longer than [`MAX_SPS_BYTES`].
    pub fn read(unit: &[u8]) -> Option<Self> {
        let ([profile, constraints, level], data) = of_highest_level(unit)?;
        let mut reorder_frames = None;
        let set = parse(&data, true, &mut reorder_frames);
        let set = set.or_else(|| parse(&data, false, &mut None))?;
        let chroma = &set.chroma_info;
        let bit_depth = chroma
            .bit_depth_luma_minus8
            .max(chroma.bit_depth_chroma_minus8);
        let usability = set.vui_parameters.as_ref();
        let ratio = usability.and_then(|usability| usability.aspect_ratio_info.as_ref()?.get());
        // Of order type 2, and in baseline, which has no B slices, pictures come as they are shown (8.2.1.3, A.2.1).
        let in_order = set.pic_order_cnt == PicOrderCntType::TypeTwo || profile == BASELINE;
        Some(Self {
            profile_level_id: u32::from_be_bytes([0, profile, constraints, level]),
            size: size(&set),
            chroma_format: chroma.chroma_format.to_u32(),
            bit_depth: u32::from(bit_depth) + 8,
            progressive: set.frame_mbs_flags == FrameMbsFlags::Frames,
            pixel_aspect_ratio: ratio.map(|(width, height)| (width.into(), height.into())),
            reordered: if in_order { Some(0) } else { reorder_frames },
        })
    }
}

/// A set, its header included, that says what the colours of its pictures are, whatever it said before; none if it is another
/// unit or damaged.
pub fn with_colours(unit: &[u8], colours: Colours) -> Option<Vec<u8>> {
    let header = *unit.first()?;
    let ([_, _, level], data) = of_highest_level(unit)?;
    let mut set = parse(&data, true, &mut None)?;
    set.level_idc = level;
    let usability = set.vui_parameters.get_or_insert_default();
    usability.video_signal_type = Some(VideoSignalType {
        video_format: VideoFormat::Unspecified,
        video_full_range_flag: colours.full_range,
        colour_description: Some(ColourDescription {
            colour_primaries: colours.primaries,
            transfer_characteristics: colours.transfer,
            matrix_coefficients: colours.matrix,
        }),
    });
    Some(set.to_vec_with_header(NalHeader::new(header).ok()?))
}

/// Profile, constraints and level of a set, and its bits with the highest level in the place of its own.
fn of_highest_level(unit: &[u8]) -> Option<([u8; 3], Vec<u8>)> {
    let header = unit.first()?;
    if unit_type(*header) != SEQUENCE_PARAMETER_SET || unit.len() > MAX_SPS_BYTES {
        return None;
    }
    let mut data = decode_nal(unit).ok()?.into_owned();
    let own = *data.first_chunk()?;
    *data.get_mut(2)? = HIGHEST_LEVEL;
    Some((own, data))
}

/// Parses a set with its usability information or without; notes `max_num_reorder_frames` as soon as it is read.
fn parse(
    data: &[u8],
    has_usability: bool,
    reorder_frames: &mut Option<u32>,
) -> Option<SeqParameterSet> {
    let reader = TolerantReader {
        bits: BitReader::new(data),
        has_usability,
        reorder_frames,
    };
    SeqParameterSet::from_bits(reader).ok()
}

/// Width and height of what is shown.
fn size(set: &SeqParameterSet) -> Option<(u32, u32)> {
    let (width, height) = set.pixel_dimensions().ok()?;
    (width > 0 && height > 0).then_some((width, height))
}

/// Reads the bits of a set and bears what stands behind it. Elements are known by their names in the standard.
struct TolerantReader<'a, 'b> {
    bits: BitReader<&'a [u8]>,
    /// Whether the usability information is read, if there is any.
    has_usability: bool,
    reorder_frames: &'b mut Option<u32>,
}

impl BitRead for TolerantReader<'_, '_> {
    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        let value = self.bits.read_ue(name)?;
        if name == "max_num_reorder_frames" {
            *self.reorder_frames = Some(value);
        }
        Ok(value)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        self.bits.read_se(name)
    }

    fn read_bit(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        let is_usability = name == "vui_parameters_present_flag";
        Ok(self.bits.read_bit(name)? && (self.has_usability || !is_usability))
    }

    fn read<const BITS: u32, I: Integer>(
        &mut self,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.bits.read::<BITS, I>(name)
    }

    fn read_var<I: Integer>(
        &mut self,
        bit_count: u32,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.bits.read_var(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.bits.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.bits.skip(bit_count, name)
    }

    fn byte_aligned(&self) -> bool {
        self.bits.byte_aligned()
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.bits.has_more_rbsp_data(name)
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        Ok(())
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::nal_units::{Framing, contents};

    // Made by x264enc: 320x240, 30 frames/s.
    const BASELINE_STREAM: &[u8] = include_bytes!("../../tests/vectors/h264/baseline.h264");
    const MAIN_WITHOUT_B_FRAMES: &[u8] =
        include_bytes!("../../tests/vectors/h264/main_without_b_frames.h264");
    const MAIN_WITH_B_FRAMES: &[u8] =
        include_bytes!("../../tests/vectors/h264/main_with_b_frames.h264");
    const HIGH_444: &[u8] = include_bytes!("../../tests/vectors/h264/high_444.h264");
    const INTERLACED: &[u8] = include_bytes!("../../tests/vectors/h264/interlaced.h264");

    fn set(stream: &[u8]) -> &[u8] {
        let mut units = contents(stream, Framing::StartCodes);
        let set = units.find(|unit| unit_type(unit[0]) == SEQUENCE_PARAMETER_SET);
        set.expect("a parameter set")
    }

    fn read(stream: &[u8]) -> SequenceParameters {
        SequenceParameters::read(set(stream)).expect("it is whole")
    }

    #[test]
    fn what_an_encoder_writes_is_read() {
        let baseline = read(BASELINE_STREAM);
        let expected = SequenceParameters {
            profile_level_id: 0x42_c0_0a,
            size: baseline.size,
            chroma_format: 1,
            bit_depth: 8,
            progressive: true,
            pixel_aspect_ratio: Some((1, 1)),
            reordered: Some(0),
        };
        assert_eq!(baseline, expected);
        assert!(
            baseline
                .size
                .is_some_and(|(width, height)| width > 0 && height > 0)
        );
        assert_eq!(read(MAIN_WITHOUT_B_FRAMES).reordered, Some(0));
        assert_eq!(read(MAIN_WITH_B_FRAMES).reordered, Some(2));
        assert_eq!(read(HIGH_444).chroma_format, 3);
        assert!(!read(INTERLACED).progressive);
    }

    #[test]
    fn set_that_exceeds_its_level_is_read() {
        let mut unit = set(MAIN_WITH_B_FRAMES).to_vec();
        // Level 1, whose pictures have 99 macroblocks.
        unit[3] = 10;
        let found = SequenceParameters::read(&unit).expect("it is whole");
        let expected = SequenceParameters {
            profile_level_id: found.profile_level_id,
            ..read(MAIN_WITH_B_FRAMES)
        };
        assert_eq!((found, found.profile_level_id & 0xff), (expected, 10));
    }

    #[test]
    fn set_whose_usability_information_is_cut_says_what_stands_before() {
        let unit = set(MAIN_WITH_B_FRAMES);
        let whole = read(MAIN_WITH_B_FRAMES);
        // Its information takes the last 15 bytes or so.
        let cut = SequenceParameters::read(&unit[..unit.len() - 4]).expect("its beginning");
        let expected = SequenceParameters {
            pixel_aspect_ratio: None,
            reordered: None,
            ..whole
        };
        assert_eq!(cut, expected);
        for length in 0..unit.len() {
            let _ = SequenceParameters::read(&unit[..length]);
        }
        assert_eq!(SequenceParameters::read(&unit[..6]), None);
    }

    #[test]
    fn other_units_and_longer_ones_are_none() {
        let mut unit = set(BASELINE_STREAM).to_vec();
        unit.resize(MAX_SPS_BYTES, 0x80);
        assert!(SequenceParameters::read(&unit).is_some());
        unit.push(0x80);
        assert_eq!(SequenceParameters::read(&unit), None);
        let mut unit = set(BASELINE_STREAM).to_vec();
        unit[0] = 0x68;
        assert_eq!(SequenceParameters::read(&unit), None);
    }

    #[test]
    fn colours_are_written_and_all_else_stays() {
        let colours = Colours {
            primaries: 6,
            transfer: 6,
            matrix: 6,
            full_range: false,
        };
        for stream in [
            BASELINE_STREAM,
            MAIN_WITHOUT_B_FRAMES,
            MAIN_WITH_B_FRAMES,
            HIGH_444,
            INTERLACED,
        ] {
            let described = with_colours(set(stream), colours).expect("it is whole");
            assert_eq!(SequenceParameters::read(&described), Some(read(stream)));
            // Once more, nothing changes.
            assert_eq!(with_colours(&described, colours).as_ref(), Some(&described));
            let other = Colours {
                full_range: true,
                ..colours
            };
            assert_ne!(with_colours(&described, other), Some(described));
        }
    }
}
