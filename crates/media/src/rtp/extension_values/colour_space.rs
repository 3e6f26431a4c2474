//! The colour-space header extension: what the samples of a picture mean, on the last packet of each key frame.
//!
//! str0m knows the extension and writes nothing for it, so it is registered under another URI, as of the
//! [names of sections](crate::rtp::extension_values::mid_header).

use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// The extension as viewers know it.
pub(crate) const URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/color-space";

/// The URI under which it is registered with str0m.
pub(crate) const URI_FOR_STR0M: &str =
    "http://www.webrtc.org/experiments/rtp-hdrext/color-space:as-written-here";

/// What the samples of a picture mean. Numbers are those of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColourSpace {
    /// `ColourPrimaries`.
    pub primaries: u8,
    /// `TransferCharacteristics`.
    pub transfer: u8,
    /// `MatrixCoefficients`.
    pub matrix: u8,
    /// `VideoFullRangeFlag`.
    pub full_range: bool,
}

impl ColourSpace {
    /// BT.601 with 525 lines, in limited range.
    pub const BT601: Self = Self {
        primaries: 6,
        transfer: 6,
        matrix: 6,
        full_range: false,
    };

    /// The form without luminance of HDR: three numbers, then the range (1 is limited, 2 full) above where chroma samples lie,
    /// which is left open.
    fn bytes(self) -> [u8; 4] {
        let range = if self.full_range { 2 } else { 1 };
        [self.primaries, self.transfer, self.matrix, range << 4]
    }
}

/// Writes the colour space of a packet's values.
#[derive(Debug)]
pub(crate) struct ColourSpaceHeader;

impl ExtensionSerializer for ColourSpaceHeader {
    fn write_to(&self, buffer: &mut [u8], values: &ExtensionValues) -> usize {
        let Some(colour_space) = values.user_values.get::<ColourSpace>() else {
            return 0;
        };
        let bytes = colour_space.bytes();
        let Some(place) = buffer.get_mut(..bytes.len()) else {
            return 0;
        };
        place.copy_from_slice(&bytes);
        bytes.len()
    }

    fn parse_value(&self, _: &[u8], _: &mut ExtensionValues) -> bool {
        // Viewers send no media.
        false
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_carry_the_colour_space_that_they_are_given() {
        let mut values = ExtensionValues::default();
        let mut buffer = [0; 32];
        assert_eq!(ColourSpaceHeader.write_to(&mut buffer, &values), 0);
        values.user_values.set(ColourSpace {
            primaries: 1,
            transfer: 13,
            matrix: 5,
            full_range: true,
        });
        assert_eq!(ColourSpaceHeader.write_to(&mut buffer, &values), 4);
        assert_eq!(buffer[..4], [1, 13, 5, 0x20]);
        values.user_values.set(ColourSpace::BT601);
        assert_eq!(ColourSpaceHeader.write_to(&mut buffer[..3], &values), 0);
        ColourSpaceHeader.write_to(&mut buffer, &values);
        assert_eq!(buffer[..4], [6, 6, 6, 0x10]);
    }
}
