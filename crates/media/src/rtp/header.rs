//! Headers of RTP packets, which are in clear also where their payload is encrypted.

/// What is read of a header (RFC 3550, 5.1; RFC 8285).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of video, the last packet of a frame.
    pub marker: bool,
    /// The number of the format.
    pub payload_type: u8,
    /// The number in its stream.
    pub sequence: u16,
    /// In units of the format's clock.
    pub timestamp: u32,
    /// Of the stream (SSRC).
    pub source: u32,
    /// Across all streams, if the packet has it.
    pub transport_number: Option<u16>,
    /// Of the header in bytes, its extension included.
    pub length: usize,
}

impl Header {
    /// Reads the header of a datagram, if it has a whole one. `transport_cc` is the id of the extension that numbers packets across
    /// all streams.
    pub fn read(datagram: &[u8], transport_cc: Option<u8>) -> Option<Self> {
        let fixed = datagram.first_chunk::<12>()?;
        let [flags, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        let mut header = Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            source: u32::from_be_bytes([r0, r1, r2, r3]),
            transport_number: None,
            length: fixed.len() + 4 * usize::from(flags & 0x0f),
        };
        if flags & 0x10 != 0 {
            let extension = datagram.get(header.length..)?;
            let [p0, p1, l0, l1] = *extension.first_chunk()?;
            let length = 4 * usize::from(u16::from_be_bytes([l0, l1]));
            let elements = extension.get(4..4 + length)?;
            header.length += 4 + length;
            header.transport_number = transport_cc.and_then(|id| {
                let value = element(elements, u16::from_be_bytes([p0, p1]), id)?;
                Some(u16::from_be_bytes(*value.first_chunk()?))
            });
        }
        (datagram.len() >= header.length).then_some(header)
    }
}

/// The value of a header extension of a packet, if it has it.
pub(crate) fn extension(datagram: &[u8], id: u8) -> Option<&[u8]> {
    let [flags, ..] = datagram else {
        return None;
    };
    if flags & 0x10 == 0 {
        return None;
    }
    let extension = datagram.get(12 + 4 * usize::from(flags & 0x0f)..)?;
    let [p0, p1, l0, l1] = *extension.first_chunk()?;
    let length = 4 * usize::from(u16::from_be_bytes([l0, l1]));
    element(
        extension.get(4..4 + length)?,
        u16::from_be_bytes([p0, p1]),
        id,
    )
}

/// The value of a header extension (RFC 8285, 4.2 and 4.3).
fn element(mut elements: &[u8], profile: u16, wanted: u8) -> Option<&[u8]> {
    let one_byte = profile == 0xbede;
    if !one_byte && profile & 0xfff0 != 0x1000 {
        return None;
    }
    while let [first, rest @ ..] = elements {
        if *first == 0 {
            elements = rest;
            continue;
        }
        let (id, length, rest) = if one_byte {
            (first >> 4, usize::from(first & 0x0f) + 1, rest)
        } else {
            let (length, rest) = rest.split_first()?;
            (*first, usize::from(*length), rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if id == wanted {
            return Some(value);
        }
        elements = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: [u8; 12] = [0x80, 0xe0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4];

    fn with_extension(profile: [u8; 2], elements: &[u8]) -> Vec<u8> {
        let mut packet = FIXED.to_vec();
        packet[0] |= 0x10;
        packet.extend(profile);
        packet.extend([0, (elements.len() / 4) as u8]);
        packet.extend(elements);
        packet.extend([9; 20]);
        packet
    }

    #[test]
    fn headers_are_read() {
        let header = Header::read(&FIXED, Some(3)).expect("a header");
        let wanted = Header {
            marker: true,
            payload_type: 96,
            sequence: 0x102,
            timestamp: 3,
            source: 4,
            transport_number: None,
            length: 12,
        };
        assert_eq!(header, wanted);
        let one_byte = with_extension([0xbe, 0xde], &[0x10, 7, 0, 0x31, 5, 6, 0, 0]);
        let two_bytes = with_extension([0x10, 0], &[1, 0, 3, 2, 5, 6, 0, 0]);
        for packet in [one_byte, two_bytes] {
            let header = Header::read(&packet, Some(3)).expect("a header");
            assert_eq!(header.transport_number, Some(0x506));
            assert_eq!(header.length, 24);
            let header = Header::read(&packet, None).expect("a header");
            assert_eq!(header.transport_number, None);
        }
    }

    #[test]
    fn no_packet_is_read_beyond_its_end() {
        let whole = with_extension([0xbe, 0xde], &[0x31, 5, 6, 0, 0x3f, 0, 0, 0]);
        for length in 0..whole.len() {
            for id in [3, 15] {
                let _ = Header::read(&whole[..length], Some(id));
            }
        }
        assert_eq!(Header::read(&whole[..22], Some(3)), None);
        let mut sources = FIXED;
        sources[0] |= 0x0f;
        assert_eq!(Header::read(&sources, None), None);
    }
}
