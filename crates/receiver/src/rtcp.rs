//! Packets of RTCP (RFC 3550, 6.1) as bytes, for what viewers report, whether it is true or not.

/// The type of a receiver report (RFC 3550, 6.4.2).
pub const RECEIVER_REPORT: u8 = 201;
/// The type of a source description (RFC 3550, 6.5).
pub const SOURCE_DESCRIPTION: u8 = 202;
/// The type of feedback on packets (RFC 4585, 6.2).
pub const TRANSPORT_FEEDBACK: u8 = 205;
/// The type of feedback on pictures (RFC 4585, 6.3).
pub const PAYLOAD_FEEDBACK: u8 = 206;

/// A packet of a source (SSRC): its count or format, its type, and what follows the source, in whole words of 32 bits.
pub fn packet(source: u32, count: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let words = (4 + body.len()) / 4;
    let mut packet = vec![0x80 | count, kind];
    packet.extend((words as u16).to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend(body);
    packet
}

/// Feedback (RFC 4585, 6.1) of a source about another: its format, its type, and what follows both.
pub fn feedback(source: u32, format: u8, kind: u8, about: u32, rest: &[u8]) -> Vec<u8> {
    let body = [&about.to_be_bytes(), rest].concat();
    packet(source, format, kind, &body)
}

/// Packets of a source after an empty receiver report, as compounds begin.
pub fn compound(source: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    [packet(source, 0, RECEIVER_REPORT, &[]), packets.concat()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_in_a_compound_has_its_length_and_both_sources() {
        let feedback = feedback(7, 1, PAYLOAD_FEEDBACK, 9, &[]);
        assert_eq!(feedback, [0x81, 206, 0, 2, 0, 0, 0, 7, 0, 0, 0, 9]);
        let compound = compound(7, &[feedback]);
        assert_eq!(compound[..8], [0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(compound.len(), 8 + 12);
    }
}
