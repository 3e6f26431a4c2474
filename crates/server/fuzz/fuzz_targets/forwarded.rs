//! Whatever a client writes into the header in which proxies name it: what the proxy appends counts, and nothing else.
//!
//! The first byte chooses the header, and whether the proxy appends to the last value or adds one of its own. Lines are values.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use wigwag_server::in_memory::client_behind_proxies;
use wigwag_server::{ForwardedHeader, Network};

const CLIENT: &str = "203.0.113.9";
const INNER_PROXY: &str = "10.0.0.7";

fuzz_target!(|bytes: &[u8]| {
    let Some((how, said)) = bytes.split_first() else {
        return;
    };
    let trusted: [Network; 1] = ["10.0.0.0/8".parse().expect("a network")];
    let (header, prefix) = if how & 1 == 0 {
        (ForwardedHeader::XForwardedFor, "")
    } else {
        (ForwardedHeader::Forwarded, "for=")
    };
    let mut values: Vec<Vec<u8>> = said
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    // Without a proxy's part the client is anybody.
    let alone: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let _ = client_behind_proxies(&alone, header, &trusted);
    let mut named = format!("{prefix}{CLIENT}");
    if how & 2 != 0 {
        // Two proxies, one behind the other.
        named += &format!(", {prefix}{INNER_PROXY}");
    }
    match values.last_mut().filter(|_| how & 4 == 0) {
        Some(last) => {
            last.extend(b", ");
            last.extend(named.bytes());
        }
        None => values.push(named.into_bytes()),
    }
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let is_header = |value: &&[u8]| {
        value
            .iter()
            .all(|byte| *byte == b'\t' || *byte >= 0x20 && *byte != 0x7f)
    };
    let is_text = |value: &&[u8]| value.is_ascii();
    // HTTP has refused the others. A value that is no text cannot be read, which the server says of the whole.
    if values.iter().all(is_header) {
        let last = values.last().expect("one");
        let client: IpAddr = CLIENT.parse().expect("an address");
        let found = client_behind_proxies(&values, header, &trusted);
        if is_text(last) {
            assert_eq!(found, Some(client));
        } else {
            assert_eq!(found, None);
        }
    }
});
