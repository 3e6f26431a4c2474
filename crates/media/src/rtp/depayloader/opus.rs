//! Packets of Opus from their payloads (RFC 7587), and how long they last.

use super::DepayloadError;

/// What a packet lasts, at most: 120 ms at 48 kHz (RFC 6716, section 3.2.5).
pub const MAX_SAMPLES: u32 = 5_760;

/// The packet of a payload, which is the payload as it stands, and how many samples at 48 kHz it lasts.
pub fn packet(payload: &[u8]) -> Result<(&[u8], u32), DepayloadError> {
    if payload.is_empty() {
        return Err(DepayloadError::Empty);
    }
    let samples = samples(payload).ok_or(DepayloadError::Malformed)?;
    Ok((payload, samples))
}

/// By the first byte, and the second if there are any number of frames (RFC 6716, section 3.1).
fn samples(packet: &[u8]) -> Option<u32> {
    let (first, rest) = packet.split_first()?;
    let configuration = first >> 3;
    let of_frame = match configuration {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(configuration % 4)],
        12..=15 => [480, 960][usize::from(configuration % 2)],
        _ => [120, 240, 480, 960][usize::from(configuration % 4)],
    };
    let frames = match first & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(rest.first()? & 0x3f),
    };
    let samples = of_frame * frames;
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duration_is_that_of_all_frames() {
        for (bytes, samples) in [
            // CELT of 20 ms, SILK of 60 ms, hybrid of 10 ms, CELT of 2.5 ms.
            (&[0xfc][..], 960),
            (&[0x18], 2_880),
            (&[0x60], 480),
            (&[0x80], 120),
            // Two frames, and three.
            (&[0xfd], 1_920),
            (&[0xfe], 1_920),
            (&[0xff, 0x03], 2_880),
        ] {
            assert_eq!(packet(bytes), Ok((bytes, samples)), "{bytes:02x?}");
        }
    }

    #[test]
    fn packet_without_frames_or_longer_than_120_ms_is_malformed() {
        assert_eq!(packet(&[]), Err(DepayloadError::Empty));
        for bytes in [&[0xff][..], &[0xff, 0x00], &[0xff, 0x07], &[0x1f, 0x03]] {
            assert_eq!(
                packet(bytes),
                Err(DepayloadError::Malformed),
                "{bytes:02x?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(payload in prop::collection::vec(any::<u8>(), 0..8)) {
            if let Ok((packet, samples)) = packet(&payload) {
                prop_assert_eq!(packet, &payload[..]);
                prop_assert!((1..=MAX_SAMPLES).contains(&samples));
            }
        }
    }
}
