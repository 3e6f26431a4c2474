//! What a packet costs at the least: encrypted with AES-128-GCM and handed to the system, several in a call. No session, no
//! feedback, nothing that is sent again.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};

use super::sender::thread_time;

/// As the film's: 2 Mbit/s at 30 frames a second.
const PACKETS_PER_FRAME: usize = 8;
const PACKET: usize = 1_100;
const HEADER: usize = 24;
const FRAME: Duration = Duration::from_micros(33_333);

/// Microseconds of processor time for each packet to so many receivers, none of which reads.
pub(super) fn measure(receivers: usize, time: Duration) -> Result<f64> {
    let sink = || UdpSocket::bind("127.0.0.1:0");
    let receivers = (0..receivers)
        .map(|_| sink())
        .collect::<Result<Vec<_>, _>>()?;
    let addresses = receivers.iter().map(UdpSocket::local_addr);
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let drain = std::thread::spawn(move || drain(&receivers, time));
    let measured = std::thread::spawn(move || send(&addresses, time));
    let measured = measured.join().ok().context("the sender panicked")?;
    drain.join().ok().context("the receiver panicked")?;
    measured
}

fn send(addresses: &[SocketAddr], time: Duration) -> Result<f64> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    let key = UnboundKey::new(&AES_128_GCM, &[7; 16])
        .ok()
        .context("a key")?;
    let key = LessSafeKey::new(key);
    let payload = [3; PACKET - HEADER - 16];
    let mut batch = Vec::with_capacity(PACKETS_PER_FRAME * PACKET);
    let (start, before, mut packets) = (Instant::now(), thread_time()?, 0u64);
    let mut frames = 0;
    while start.elapsed() < time {
        for address in addresses {
            batch.clear();
            for _ in 0..PACKETS_PER_FRAME {
                packets += 1;
                let begin = batch.len();
                batch.resize(begin + HEADER, 1);
                batch.extend_from_slice(&payload);
                let mut nonce = [0; 12];
                nonce[..8].copy_from_slice(&packets.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let (header, body) = batch[begin..].split_at_mut(HEADER);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*header), body);
                let tag = tag.ok().context("AES-GCM takes it")?;
                batch.extend_from_slice(tag.as_ref());
            }
            let transmit = Transmit {
                destination: *address,
                ecn: None,
                contents: &batch,
                segment_size: Some(PACKET),
                src_ip: None,
            };
            state.try_send(UdpSockRef::from(&socket), &transmit)?;
        }
        frames += 1;
        let due = start + FRAME * frames;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let spent = thread_time()? - before;
    Ok(spent.as_secs_f64() * 1e6 / packets as f64)
}

/// Reads what came now and then, so that the system takes more.
fn drain(receivers: &[UdpSocket], time: Duration) {
    let start = Instant::now();
    let mut buffer = [0; 2_048];
    for receiver in receivers {
        // One that blocks would only keep the others full.
        let _ = receiver.set_nonblocking(true);
    }
    while start.elapsed() < time {
        for receiver in receivers {
            while receiver.recv(&mut buffer).is_ok() {}
        }
        std::thread::sleep(FRAME / 2);
    }
}
