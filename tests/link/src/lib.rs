//! A network link for tests and benchmarks: two hosts of their own inside the kernel, and between them a link with a rate,
//! a queue, a delay, jitter and loss. It needs no `netem`, which many kernels lack.
//!
//! [`LinkPair`] makes the two hosts, each a network namespace with a TUN device, and forwards IP packets between them;
//! each direction is a [`Link`], a state machine without I/O that can be used in virtual time too. The program
//! `wigwag-link` does the same for programs that are not written in Rust; `wigwag-link --help` describes it.
//!
//! ```no_run
//! use std::net::UdpSocket;
//! use std::process::Command;
//! use std::time::Duration;
//!
//! use wigwag_link::{Conditions, Direction, LinkPair, QueueLimit, Side};
//!
//! # fn main() -> anyhow::Result<()> {
//! let downlink = Conditions {
//!     delay: Duration::from_millis(20),
//!     ..Conditions::limited(4_000_000, QueueLimit::Bytes(150_000))
//! };
//! let uplink = Conditions::delayed(Duration::from_millis(20));
//! let link = LinkPair::new(downlink.clone(), uplink)?;
//!
//! // Programs, and sockets of this process, at the ends.
//! let mut server = link.enter(Side::A, Command::new("wigwag").arg("serve")).spawn()?;
//! let socket = link.run(Side::B, || UdpSocket::bind((Side::B.ipv4(), 0)))??;
//! socket.send_to(b"hello", (Side::A.ipv4(), 9_000))?;
//!
//! // The link gets worse.
//! let fallen = Conditions {
//!     rate_bits_per_second: Some(800_000),
//!     ..downlink
//! };
//! link.set(Direction::AToB, fallen)?;
//! println!("{:?}", link.counters(Direction::AToB)?);
//! # server.kill()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Conditions
//!
//! Each direction has its own [`Conditions`], which can change at any time. A packet meets them in this order:
//!
//! | condition | in JSON | default | what it does |
//! |---|---|---|---|
//! | `mtu` | `"mtu": 1280` | 1,500 bytes | larger packets vanish without a notice |
//! | `queue` | `"queue": {"ms": 200}` or `{"bytes": 30000}` | 200 ms | what would wait longer for the transmitter, or with what waits already exceed the bytes, is dropped (drop-tail); without a rate nothing waits |
//! | `rate_bits_per_second` | `"rate_bits_per_second": 800000` | no limit | packets leave one after the other; counts whole IP packets, to the nanosecond, never above the rate |
//! | `loss` | `"loss": {"independent": 0.05}`, or `{"gilbert_elliott": {"good_to_bad": 0.01, "bad_to_good": 0.25, "loss_in_good": 0.0, "loss_in_bad": 1.0}}` | none | lost behind the transmitter, so a lost packet has used the rate; [`Loss::bursts`] computes the second from a share and a length |
//! | `delay` | `"delay_ms": 20` | 0 | added to each packet, exactly |
//! | `jitter` | `"jitter_ms": 5` | 0 | added to the delay: uniformly distributed between zero and this |
//! | `reorder` | `"reorder": true` | false | lets jitter change the order; otherwise a packet with less jitter waits for the one before it, so that of packets closer than the jitter the later ones have more of it on average |
//! | `seed` | `"seed": 7` | 1 | the same packets with the same seed have the same losses and jitter |
//!
//! A dead link is `Loss::Independent(1.0)`. Whatever the conditions, a direction holds at most [`MAX_HELD_PACKETS`] and
//! [`MAX_HELD_BYTES`]; what comes then is counted as `dropped_at_limit`.
//!
//! # The two hosts
//!
//! | | A | B |
//! |---|---|---|
//! | addresses | `10.0.1.1/24`, `fd00:0:0:1::1/64` | `10.0.2.1/24`, `fd00:0:0:2::1/64` |
//! | interface | `link0`, MTU 1,500, default route for IPv4 and IPv6 | the same |
//!
//! The link stands for the Internet between them: multicast, broadcast and link-local packets do not cross it, and are not
//! counted. Beside it each host has a loopback interface. Namespaces have no names; they go with the value, or with the
//! process, however that ends, unless a program in one of them lives on.
//!
//! It takes root, `/dev/net/tun`, and the programs `ip`, `unshare`, `nsenter` and `chrt`.
//!
//! # Accuracy
//!
//! In virtual time a [`Link`] is exact. How much longer than its conditions say a packet takes from a socket on one host to a
//! socket on the other, of 10,000 packets of 1,200 bytes, 1,000 a second, on two shared 2.5 GHz cores with five busy processes
//! beside it, 2026-11-30, by `chrt --fifo 1` and `examples/accuracy.rs`; no packet is ever early:
//!
//! | | p50 | p99 | largest |
//! |---|---|---|---|
//! | delay of 20 ms | 56 us | 163 us | 2.4 ms |
//! | delay of 20 ms, 50 Mbit/s | 51 us | 101 us | 2.0 ms |
//! | no delay | 46 us | 77 us | 0.5 ms |
//! | no link: loopback interface | 24 us | 41 us | 1.1 ms |
//!
//! The last line is what the sender and the receiver themselves add. Without real-time priority, which the thread of the link
//! takes by `chrt` where that is allowed, the first line has a p99 of 4.3 ms. [`Counters::max_lateness`] says of each run how
//! late that thread was at worst.

mod conditions;
mod forwarder;
mod link;
mod loss;
mod milliseconds;
mod namespace;
mod pair;
mod tun;

pub use conditions::{
    Conditions, DEFAULT_QUEUE, InvalidConditions, MAX_DELAY, MIN_RATE, MTU, QueueLimit,
};
pub use link::{Count, Counters, Link, MAX_HELD_BYTES, MAX_HELD_PACKETS};
pub use loss::Loss;
pub use namespace::Namespace;
pub use pair::{Direction, LinkPair, Side};
