//! Payloads of Opus (RFC 7587, section 4.2): a packet of the encoder is a payload as it stands.

use std::sync::Arc;

use super::{PayloadError, PayloadSize};

/// The payload of a packet, which cannot be divided: its encoder has to be given a lower rate if it is too large.
pub fn payload(packet: &[u8], size: PayloadSize) -> Result<Arc<[u8]>, PayloadError> {
    match packet.len() {
        0 => Err(PayloadError::Empty),
        length if length > size.bytes() => Err(PayloadError::TooLarge),
        _ => Ok(packet.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_is_a_payload_unless_it_is_empty_or_too_large() {
        let payload = |packet: &[u8]| payload(packet, PayloadSize::MIN);
        assert_eq!(payload(&[0xfc, 1]).as_deref(), Ok(&[0xfc, 1][..]));
        assert!(payload(&[9; 64]).is_ok());
        assert_eq!(payload(&[9; 65]), Err(PayloadError::TooLarge));
        assert_eq!(payload(&[]), Err(PayloadError::Empty));
    }
}
