//! Records that can be the peer's: all others are dropped before OpenSSL sees them.
//!
//! After the handshake a record that does not authenticate is discarded (RFC 6347, 4.1.2.7): anybody who knows the
//! addresses can send one. OpenSSL does so for most, but some releases end the connection over a record that is too
//! short for its cipher (seen with Debian's 3.0.19).

/// Type, version, epoch, sequence number and length (RFC 6347, 4.1).
const HEADER: usize = 13;

/// The epoch of both sides after the handshake. There is no renegotiation, so there is no other.
const EPOCH: [u8; 2] = [0, 1];

/// Bytes that encryption adds to a record at least, by the name of the cipher suite in OpenSSL.
pub(super) fn least_expansion(cipher: &str) -> usize {
    if cipher.contains("CHACHA20") {
        // The tag (RFC 7905, 2).
        16
    } else if cipher.contains("GCM") {
        // A nonce and the tag (RFC 5288, 3).
        8 + 16
    } else {
        // An initialisation vector, and two blocks that hold the code and padding (RFC 5246, 6.2.3.2).
        16 + 2 * 16
    }
}

/// The datagram without the records that cannot be the peer's after the handshake. Bytes behind the last whole record
/// are dropped too.
pub(super) fn plausible(datagram: &[u8], least_expansion: usize) -> Vec<u8> {
    let mut kept = Vec::with_capacity(datagram.len());
    let mut rest = datagram;
    while let Some((record, following)) = split_record(rest) {
        let is_long_enough = record.len() - HEADER >= least_expansion;
        if record[3..5] == EPOCH && is_long_enough {
            kept.extend_from_slice(record);
        }
        rest = following;
    }
    kept
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.get(11..HEADER)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.split_at_checked(HEADER + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut record = vec![23, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend([0; 6]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn records_of_another_epoch_or_too_short_are_dropped_and_others_kept() {
        let good = record(1, &[7; 24]);
        let datagram = [
            record(1, &[7; 23]),
            good.clone(),
            record(0, &[7; 40]),
            record(2, &[7; 40]),
            good.clone(),
            vec![23, 0xfe],
        ]
        .concat();
        let kept = plausible(&datagram, least_expansion("ECDHE-RSA-AES128-GCM-SHA256"));
        assert_eq!(kept, [good.clone(), good].concat());
    }

    #[test]
    fn cipher_suites_have_their_least_expansion() {
        assert_eq!(least_expansion("ECDHE-ECDSA-CHACHA20-POLY1305"), 16);
        assert_eq!(least_expansion("ECDHE-ECDSA-AES256-GCM-SHA384"), 24);
        assert_eq!(least_expansion("ECDHE-ECDSA-AES128-SHA"), 48);
    }

    proptest! {
        #[test]
        fn any_datagram_gives_a_part_of_itself(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
            let kept = plausible(&datagram, 16);
            prop_assert!(kept.len() <= datagram.len());
            prop_assert_eq!(plausible(&kept, 16), kept);
        }
    }
}
