//! How exactly a link delays packets on this machine: 1,000 packets a second for ten seconds, each with the time at which it
//! was sent. Beside it the same without a link, over the loopback interface of a host. It takes root.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wigwag_link::{Conditions, Direction, LinkPair, QueueLimit, Side};

const PACKETS: u32 = 10_000;
const INTERVAL: Duration = Duration::from_millis(1);
const BYTES: usize = 1_200;
const DELAY: Duration = Duration::from_millis(20);

/// Longer than any packet takes.
const DEADLINE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let cases = [
        ("delay of 20 ms", Conditions::delayed(DELAY)),
        (
            "delay of 20 ms, 50 Mbit/s",
            Conditions {
                delay: DELAY,
                ..Conditions::limited(50_000_000, QueueLimit::Time(DELAY))
            },
        ),
        ("no delay", Conditions::default()),
    ];
    println!("| | p50 | p99 | largest |\n|---|---|---|---|");
    for (name, conditions) in cases {
        let transmission = conditions
            .rate_bits_per_second
            .map_or(Duration::ZERO, |rate| {
                // With the headers of IPv4 and UDP.
                Duration::from_secs_f64((BYTES + 28) as f64 * 8.0 / rate as f64)
            });
        let expected = conditions.delay + transmission;
        let link = LinkPair::new(conditions, Conditions::default())?;
        let from = link.run(Side::A, || UdpSocket::bind((Side::A.ipv4(), 0)))??;
        let to = link.run(Side::B, || UdpSocket::bind((Side::B.ipv4(), 0)))??;
        print(name, &measure(&from, to, expected)?);
        let lateness = link.counters(Direction::AToB)?.max_lateness;
        eprintln!("{name}: the thread of the link was late by {lateness:?} at most");
    }
    let link = LinkPair::new(Conditions::default(), Conditions::default())?;
    let loopback = || UdpSocket::bind(("127.0.0.1", 0));
    let (from, to) = (link.run(Side::A, loopback)??, link.run(Side::A, loopback)??);
    print("no link: loopback", &measure(&from, to, Duration::ZERO)?);
    Ok(())
}

/// How much longer than expected each packet took, in the order of size.
fn measure(from: &UdpSocket, to: UdpSocket, expected: Duration) -> Result<Vec<Duration>> {
    let address: SocketAddr = to.local_addr()?;
    to.set_read_timeout(Some(DEADLINE))?;
    let begin = Instant::now();
    let receiver = thread::spawn(move || -> Result<Vec<Duration>> {
        let mut errors = Vec::new();
        let mut buffer = [0; 2_048];
        for _ in 0..PACKETS {
            to.recv(&mut buffer).context("a packet is missing")?;
            let at = begin.elapsed();
            let sent_at = u64::from_be_bytes(*buffer.first_chunk().context("eight bytes")?);
            let took = at.saturating_sub(Duration::from_nanos(sent_at));
            ensure!(
                took >= expected,
                "a packet took {took:?}, less than it has to"
            );
            errors.push(took - expected);
        }
        Ok(errors)
    });
    let mut datagram = [0; BYTES];
    for number in 0..PACKETS {
        let at = begin + number * INTERVAL;
        thread::sleep(at.saturating_duration_since(Instant::now()));
        let nanos = u64::try_from(begin.elapsed().as_nanos())?;
        datagram[..8].copy_from_slice(&nanos.to_be_bytes());
        from.send_to(&datagram, address)?;
    }
    let mut errors = receiver.join().ok().context("the receiver panicked")??;
    errors.sort_unstable();
    Ok(errors)
}

fn print(name: &str, errors: &[Duration]) {
    let at = |share: f64| {
        let index = (errors.len() as f64 * share) as usize;
        format!("{} us", errors[index.min(errors.len() - 1)].as_micros())
    };
    println!("| {name} | {} | {} | {} |", at(0.5), at(0.99), at(1.0));
}
