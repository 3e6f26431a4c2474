//! Whatever frames a stranger sends once the upgrade is done, to either protocol: fragmented, interleaved with pings,
//! unmasked, with reserved bits, with lengths that are not true.
//!
//! The first byte chooses the protocol and the pieces in which the bytes come. Then follow frames: a byte as it
//! stands at the head of a frame (RFC 6455, 5.2), one with what is odd about it, one with the length of what it
//! carries, and that.
#![no_main]

mod stranger;

use libfuzzer_sys::fuzz_target;

/// In the second byte of a frame of the input.
const UNMASKED: u8 = 0x01;
const SAYS_MORE: u8 = 0x02;
const LONG_LENGTH: u8 = 0x04;
const REPEATED: u8 = 0x08;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, mut rest)) = bytes.split_first() else {
        return;
    };
    let path = if how & 1 == 0 { "/" } else { "/text" };
    let mut sent = format!(
        "GET {path} HTTP/1.1\r\nHost: fuzz\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    while let [head, odd, length, payload @ ..] = rest {
        let (payload, after) = payload.split_at(usize::from(*length).min(payload.len()));
        rest = after;
        let repeat = if odd & REPEATED != 0 { 20 } else { 1 };
        let payload = payload.repeat(repeat);
        sent.push(*head);
        let says = payload.len() + usize::from(odd & SAYS_MORE) * 5_000;
        let mask = if odd & UNMASKED == 0 { 0x80 } else { 0 };
        if odd & LONG_LENGTH != 0 {
            sent.push(mask | 127);
            sent.extend((says as u64).to_be_bytes());
        } else if says > 125 {
            sent.push(mask | 126);
            sent.extend((says as u16).to_be_bytes());
        } else {
            sent.push(mask | says as u8);
        }
        if mask != 0 {
            // The mask that changes nothing, so that the fuzzer sees what the server reads.
            sent.extend([0; 4]);
        }
        sent.extend(payload);
    }
    stranger::send(&sent, usize::from(how >> 1) * 8);
});
