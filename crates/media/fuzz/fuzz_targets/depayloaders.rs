//! Whatever the payloads of a frame are: they are a frame, or there is a reason why not.
//!
//! The first byte chooses the payload format. Then each payload stands behind its length, a byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_media::rtp::depayloader::{h264, opus, vp8};
use wigwag_media::rtp::nal_units::Framing;
use wigwag_media::rtp::payloader::{PayloadSize, h264 as h264_payloader, vp8 as vp8_payloader};

fuzz_target!(|bytes: &[u8]| {
    let Some((format, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut payloads = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (payload, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        payloads.push(payload);
        rest = behind;
    }
    match format % 3 {
        0 => {
            if let Ok(access_unit) = h264::access_unit(payloads.iter().copied()) {
                let sent =
                    h264_payloader::payloads(&access_unit, Framing::StartCodes, PayloadSize::MIN);
                let Ok(sent) = sent else {
                    return;
                };
                assert!(sent.iter().all(|it| it.len() <= PayloadSize::MIN.bytes()));
                h264::access_unit(sent.iter().map(|it| &**it)).expect("what was sent is whole");
            }
        }
        1 => {
            if let Ok(frame) = vp8::frame(payloads.iter().copied()) {
                let mut payloader = vp8_payloader::Vp8Payloader::new(PayloadSize::MIN, 7);
                let sent = payloader.payloads(&frame).expect("it is not too large");
                let again = vp8::frame(sent.iter().map(|it| &**it));
                assert_eq!(again.as_ref(), Ok(&frame));
            }
        }
        _ => {
            for payload in payloads {
                if let Ok((packet, samples)) = opus::packet(payload) {
                    assert_eq!(packet, payload);
                    assert!(samples <= opus::MAX_SAMPLES);
                }
            }
        }
    }
});
