//! What a datagram on a port of a connection is, by its first bytes.

/// The protocol of a datagram (RFC 7983, section 7, and RFC 5761, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    /// Connectivity checks and their answers.
    Stun,
    /// Handshakes, and what data channels carry.
    Dtls,
    /// Media, encrypted or not.
    Rtp,
    /// Reports and feedback on media.
    Rtcp,
    /// None that we speak.
    Other,
}

impl DatagramKind {
    /// By its first bytes: it need not be well-formed.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            // The marker bit is the eighth of what RTCP has as its type.
            [128..=191, second, ..] if (64..=95).contains(&(second & 0x7f)) => Self::Rtcp,
            [128..=191, _, ..] => Self::Rtp,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_all_protocols_are_told_apart() {
        for (first, second, kind) in [
            (0x80, 96, DatagramKind::Rtp),
            (0x90, 0xe0, DatagramKind::Rtp),
            (0x80, 0, DatagramKind::Rtp),
            (0x80, 200, DatagramKind::Rtcp),
            (0x81, 205, DatagramKind::Rtcp),
            (0x00, 0x01, DatagramKind::Stun),
            (0x01, 0x01, DatagramKind::Stun),
            (22, 0xfe, DatagramKind::Dtls),
            (64, 0, DatagramKind::Other),
            (0xff, 0, DatagramKind::Other),
        ] {
            let datagram = [first, second, 0, 0];
            assert_eq!(DatagramKind::of(&datagram), kind, "{first} {second}");
        }
        assert_eq!(DatagramKind::of(&[0x80]), DatagramKind::Other);
        assert_eq!(DatagramKind::of(&[]), DatagramKind::Other);
    }
}
