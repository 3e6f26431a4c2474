//! Datagrams that nobody asked for, as fast as is told: junk that looks like each of the protocols that share a port.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use crate::bench::load::Peer;

/// First bytes of STUN, DTLS, RTP and RTCP (RFC 7983, RFC 5761), and of nothing.
const BEGINNINGS: [[u8; 2]; 5] = [[0, 1], [22, 254], [128, 96], [129, 205], [255, 255]];
const DATAGRAM: usize = 200;
/// As many go out at once.
const AT_ONCE: u32 = 50;

/// Where the sender takes media: a candidate of its offer.
pub(crate) async fn media_address(server: SocketAddr, producer: &str) -> Result<SocketAddr> {
    let mut peer = Peer::connect(server).await?;
    let call = json!({"type": "startSession", "peerId": producer});
    peer.send(call.to_string()).await?;
    loop {
        let message = peer.receive("peer").await?;
        let candidate = message["ice"]["candidate"].as_str();
        let offer = message["sdp"]["sdp"].as_str();
        let text = offer.or(candidate).unwrap_or_default();
        if let Some(address) = text.lines().find_map(address) {
            return Ok(address);
        }
    }
}

/// The address of a candidate's line (RFC 8839, section 5.1).
fn address(line: &str) -> Option<SocketAddr> {
    let (_, candidate) = line.split_once("candidate:")?;
    let mut fields = candidate.split(' ').skip(4);
    let address = fields.next()?.parse().ok()?;
    Some(SocketAddr::new(address, fields.next()?.parse().ok()?))
}

/// Sends so many datagrams a second for a time, from as many sockets as there are kinds.
pub(crate) fn flood(to: SocketAddr, a_second: u32, time: Duration) -> Result<()> {
    let sockets = BEGINNINGS.map(|_| UdpSocket::bind("127.0.0.1:0"));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        for number in 0..AT_ONCE {
            let kind = number as usize % BEGINNINGS.len();
            let mut datagram = [number as u8; DATAGRAM];
            datagram[..2].copy_from_slice(&BEGINNINGS[kind]);
            let socket = sockets[kind].as_ref().ok().context("a socket")?;
            // What the system has no room for is lost, as intended.
            let _ = socket.send_to(&datagram, to);
        }
        sent += AT_ONCE;
        let due = start + Duration::from_secs(1) / a_second * sent;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
