//! The headers of packets of media, which are in clear also where their payload is encrypted.

/// What is read of a header (RFC 3550, 5.1; RFC 8285).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) source: u32,
    /// Across all streams, if it is told.
    pub(super) transport_number: Option<u16>,
    /// Of the header, its extension included.
    pub(super) length: usize,
}

/// Whether a datagram is of media, and not of reports, keys or connectivity (RFC 7983, RFC 5761).
pub(super) fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !is_report_type(*second))
}

/// Whether a datagram is of reports (RTCP).
pub(super) fn is_report(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if is_report_type(*second))
}

fn is_report_type(second: u8) -> bool {
    (64..=95).contains(&(second & 0x7f))
}

impl Header {
    pub(super) fn read(datagram: &[u8], transport_cc: Option<u8>) -> Option<Self> {
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

    #[test]
    fn media_is_told_from_all_else_on_a_port() {
        for (first, second, media, report) in [
            (0x80, 96, true, false),
            (0x90, 0xe0, true, false),
            (0x80, 0, true, false),
            (0x80, 200, false, true),
            (0x81, 205, false, true),
            (0x00, 0x01, false, false),
            (22, 0xfe, false, false),
        ] {
            let datagram = [first, second, 0, 0];
            let told = (is_media(&datagram), is_report(&datagram));
            assert_eq!(told, (media, report), "{first} {second}");
        }
        assert!(!is_media(&[0x80]));
    }
}
