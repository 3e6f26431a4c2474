//! The picture id that descriptors of VP8 (RFC 7741, section 4.2) and VP9 (RFC 9628, section 4.2) have alike.

use super::take_byte;

/// A number that goes up by one with each picture, in the width that its sender chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureId {
    /// 7 bits.
    Short(u8),
    /// 15 bits.
    Long(u16),
}

impl PictureId {
    /// The largest of 7 bits.
    const MAX_SHORT: u8 = 0x7f;

    /// The largest of 15 bits.
    const MAX_LONG: u16 = 0x7fff;

    /// The number.
    pub fn value(self) -> u16 {
        match self {
            Self::Short(value) => value.into(),
            Self::Long(value) => value,
        }
    }

    /// The same width with as much of another number as fits.
    pub fn with_value(self, value: u16) -> Self {
        match self {
            Self::Short(_) => Self::Short((value & u16::from(Self::MAX_SHORT)) as u8),
            Self::Long(_) => Self::Long(value & Self::MAX_LONG),
        }
    }

    /// Bytes that it takes.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Short(_) => 1,
            Self::Long(_) => 2,
        }
    }

    /// Takes it from the beginning of what is left: the first bit is the width.
    pub(super) fn take(rest: &mut &[u8]) -> Option<Self> {
        let first = take_byte(rest)?;
        if first & 0x80 == 0 {
            return Some(Self::Short(first));
        }
        let second = take_byte(rest)?;
        let value = u16::from_be_bytes([first, second]) & Self::MAX_LONG;
        Some(Self::Long(value))
    }

    /// Writes it over one of the same width.
    pub(super) fn write_over(self, place: &mut [u8]) -> Option<()> {
        match self.with_value(self.value()) {
            Self::Short(value) => *place.first_mut()? = value,
            Self::Long(value) => {
                let bytes = (value | 0x8000).to_be_bytes();
                place.get_mut(..bytes.len())?.copy_from_slice(&bytes);
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_id_of_either_width_is_read_and_written() {
        for (bytes, expected) in [
            (&[0x05][..], PictureId::Short(5)),
            (&[0x7f], PictureId::Short(127)),
            (&[0x80, 0x05], PictureId::Long(5)),
            (&[0xff, 0xff], PictureId::Long(0x7fff)),
        ] {
            let mut rest = bytes;
            assert_eq!(PictureId::take(&mut rest), Some(expected));
            assert_eq!(rest, []);
            let mut written = [0; 2];
            assert_eq!(expected.write_over(&mut written), Some(()));
            assert_eq!(&written[..expected.length()], bytes);
        }
        assert_eq!(PictureId::take(&mut &[0x80][..]), None);
        assert_eq!(PictureId::take(&mut &[][..]), None);
    }

    #[test]
    fn picture_id_with_another_value_keeps_its_width() {
        let short = PictureId::Short(1).with_value(0x1ff);
        assert_eq!(short, PictureId::Short(0x7f));
        let long = PictureId::Long(1).with_value(0xffff);
        assert_eq!(long, PictureId::Long(0x7fff));
    }
}
