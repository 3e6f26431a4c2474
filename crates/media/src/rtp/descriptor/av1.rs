//! The aggregation header of AV1 (RTP Payload Format For AV1, section 4.4), and the elements behind it.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |Z|Y| W |N|-|-|-|
//! +-+-+-+-+-+-+-+-+
//! ```
//!
//! What else a packet says of its frame stands in the dependency descriptor, a header extension, which is kept as it came
//! (`ReceivedPacket::dependency_descriptor`): to pass a stream on, nothing has to be read of it.

const CONTINUES: u8 = 0x80;
const IS_CONTINUED: u8 = 0x40;
const BEGINS_SEQUENCE: u8 = 0x08;

/// The bytes of a number in LEB128, at most (AV1 bitstream specification, section 4.10.5).
const MAX_LEB128_BYTES: usize = 8;

/// The aggregation header of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Av1AggregationHeader {
    /// Z: the first element goes on with the last of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub is_continued: bool,
    /// W: how many elements there are, of which the last is without its length; 0 if each has one.
    pub elements: u8,
    /// N: the packet is the first of a coded video sequence.
    pub begins_sequence: bool,
}

/// The elements of a packet: OBUs and parts of them. The first that is malformed is the last.
#[derive(Clone, Debug)]
pub struct ObuElements<'a> {
    rest: &'a [u8],
    /// How many there still are, the last without its length; none if each has one.
    left: Option<u8>,
}

/// A length that exceeds what is left of the packet, or an element that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedElement;

impl Av1AggregationHeader {
    /// The header of a payload, and its elements; none if it is empty.
    pub fn read(payload: &[u8]) -> Option<(Self, ObuElements<'_>)> {
        let (first, rest) = payload.split_first()?;
        let header = Self {
            continues: first & CONTINUES != 0,
            is_continued: first & IS_CONTINUED != 0,
            elements: first >> 4 & 0x03,
            begins_sequence: first & BEGINS_SEQUENCE != 0,
        };
        let left = (header.elements != 0).then_some(header.elements);
        Some((header, ObuElements { rest, left }))
    }

    /// Whether the packet is the first of a coded video sequence, where decoding can begin. N and Z together mean nothing.
    pub fn begins_key_frame(&self) -> bool {
        self.begins_sequence && !self.continues
    }
}

impl<'a> ObuElements<'a> {
    fn take(&mut self, has_length: bool) -> Option<&'a [u8]> {
        let length = if has_length {
            take_leb128(&mut self.rest)?
        } else {
            self.rest.len()
        };
        let (element, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(element)
    }
}

impl<'a> Iterator for ObuElements<'a> {
    type Item = Result<&'a [u8], MalformedElement>;

    fn next(&mut self) -> Option<Self::Item> {
        let has_length = match &mut self.left {
            None if self.rest.is_empty() => return None,
            None => true,
            Some(0) => return None,
            Some(left) => {
                *left -= 1;
                *left > 0
            }
        };
        match self.take(has_length) {
            Some(element) => Some(Ok(element)),
            None => {
                self.rest = &[];
                self.left = Some(0);
                Some(Err(MalformedElement))
            }
        }
    }
}

fn take_leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for place in 0..MAX_LEB128_BYTES {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> (Av1AggregationHeader, Vec<Result<&[u8], MalformedElement>>) {
        let (header, elements) = Av1AggregationHeader::read(payload).expect("a header");
        (header, elements.collect())
    }

    #[test]
    fn every_bit_of_the_header_is_read() {
        let header = |first| read(&[first]).0;
        let none = header(0);
        assert!(!none.continues && !none.is_continued && !none.begins_sequence);
        assert!(header(0x80).continues);
        assert!(header(0x40).is_continued);
        assert_eq!(header(0x20).elements, 2);
        assert!(header(0x08).begins_sequence);
        assert!(header(0x08).begins_key_frame());
        assert!(!header(0x88).begins_key_frame());
    }

    #[test]
    fn last_of_counted_elements_has_no_length() {
        assert_eq!(read(&[0x10, 7, 8]).1, [Ok(&[7, 8][..])]);
        assert_eq!(read(&[0x20, 1, 7, 8, 9]).1, [Ok(&[7][..]), Ok(&[8, 9])]);
        let three = read(&[0x30, 1, 7, 2, 8, 9, 5]).1;
        assert_eq!(three, [Ok(&[7][..]), Ok(&[8, 9]), Ok(&[5])]);
    }

    #[test]
    fn elements_that_are_not_counted_all_have_lengths() {
        assert_eq!(read(&[0x00, 1, 7, 2, 8, 9]).1, [Ok(&[7][..]), Ok(&[8, 9])]);
        let mut long = vec![0x00, 0x80, 0x01];
        long.extend([5; 128]);
        assert_eq!(read(&long).1, [Ok(&[5; 128][..])]);
    }

    #[test]
    fn element_that_exceeds_its_packet_is_the_last() {
        assert_eq!(
            read(&[0x00, 1, 7, 9, 8]).1,
            [Ok(&[7][..]), Err(MalformedElement)]
        );
        assert_eq!(read(&[0x20]).1, [Err(MalformedElement)]);
        assert_eq!(read(&[0x00, 0x80]).1, [Err(MalformedElement)]);
        assert_eq!(read(&[&[0x00][..], &[0xff; 9]].concat()).1.len(), 1);
    }
}
