//! The thread that carries packets between two devices, each direction through its link.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::thread::{gettid, set_current_timer_slack};

use crate::link::Link;
use crate::tun::Tun;

/// The most packets that are read from one device, or written to it, before the other has its turn.
const PACKETS_AT_ONCE: usize = 64;

/// The largest IP packet.
const MAX_PACKET: usize = 65_535;

/// How much later than asked for the kernel may wake the thread, in nanoseconds. It takes 50,000 unless asked.
const TIMER_SLACK: u64 = 1;

/// Two links, from the first device to the second and back, and the thread that serves them until this is dropped.
#[derive(Debug)]
pub(crate) struct Forwarder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    links: Mutex<[Link; 2]>,
    /// Becomes readable when the thread has to look at the links again, or to stop.
    wake: OwnedFd,
    stopping: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Forwarder {
    pub(crate) fn start(devices: [Tun; 2], links: [Link; 2]) -> Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            links: Mutex::new(links),
            wake,
            stopping: AtomicBool::new(false),
            failure: Mutex::new(None),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("link".to_owned())
            .spawn(move || {
                if let Err(error) = forward(&devices, &of_thread) {
                    *lock(&of_thread.failure) = Some(format!("{error:#}"));
                }
            })
            .context("cannot start a thread")?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Looks at the links, or changes them. Fails if packets are forwarded no more.
    pub(crate) fn with_links<T>(&self, job: impl FnOnce(&mut [Link; 2]) -> T) -> Result<T> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            let failure = lock(&self.shared.failure).clone();
            bail!(
                "the link has stopped: {}",
                failure.as_deref().unwrap_or("its thread panicked")
            );
        }
        let result = job(&mut lock(&self.shared.links));
        self.shared.wake();
        Ok(result)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn wake(&self) {
        // It fails only where the thread has been woken so often already that the number would overflow.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn clear_wake(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves the links until asked to stop. Fails if a device is gone.
fn forward(devices: &[Tun; 2], shared: &Shared) -> Result<()> {
    // Where either is not allowed, packets are later.
    let _ = set_current_timer_slack(NonZeroU64::new(TIMER_SLACK));
    let _ = run_first();
    let mut buffer = vec![0; MAX_PACKET];
    while !shared.stopping.load(Ordering::Acquire) {
        let wake_at = transmit(devices, &mut lock(&shared.links));
        let mut polled = [
            PollFd::new(&devices[0], PollFlags::IN),
            PollFd::new(&devices[1], PollFlags::IN),
            PollFd::new(&shared.wake, PollFlags::IN),
        ];
        match poll(&mut polled, wake_at.map(until).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error).context("cannot wait for packets"),
        }
        let [first, second, wake] = polled.map(|polled| polled.revents());
        if !wake.is_empty() {
            shared.clear_wake();
        }
        for (index, events) in [first, second].into_iter().enumerate() {
            if events.is_empty() {
                continue;
            }
            receive(&devices[index], &mut buffer, |packet| {
                let mut links = lock(&shared.links);
                links[index].handle_packet(Instant::now(), packet.to_vec());
            })?;
            if !events.contains(PollFlags::IN) {
                bail!("the network interface of a host is gone");
            }
        }
    }
    Ok(())
}

/// Gives this thread real-time priority: a network does not become slower because programs are busy.
fn run_first() -> io::Result<ExitStatus> {
    let thread = gettid().as_raw_nonzero().to_string();
    Command::new("chrt")
        .args(["--fifo", "--pid", "1", &thread])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
}

fn until(time: Instant) -> Timespec {
    let wait = time.saturating_duration_since(Instant::now());
    // A day is more than any packet waits.
    let wait = wait.min(Duration::from_secs(86_400));
    Timespec {
        tv_sec: wait.as_secs().cast_signed(),
        tv_nsec: wait.subsec_nanos().into(),
    }
}

/// Writes what has arrived. Returns when to look again.
fn transmit(devices: &[Tun; 2], links: &mut [Link; 2]) -> Option<Instant> {
    let [first, second] = devices;
    for (link, device) in links.iter_mut().zip([second, first]) {
        for _ in 0..PACKETS_AT_ONCE {
            let Some(packet) = link.poll_transmit(Instant::now()) else {
                break;
            };
            // An interface that is down, or a kernel without memory; one that is gone shows when it is read.
            if device.write(&packet).ok() != Some(packet.len()) {
                link.handle_refused(packet.len());
            }
        }
    }
    links.iter().filter_map(Link::poll_timeout).min()
}

/// Reads what waits at a device, and hands on what may cross.
fn receive(device: &Tun, buffer: &mut [u8], mut handle: impl FnMut(&[u8])) -> Result<()> {
    for _ in 0..PACKETS_AT_ONCE {
        match device.read(buffer) {
            Ok(length) => {
                let packet = &buffer[..length];
                if crosses(packet) {
                    handle(packet);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => break,
                ErrorKind::Interrupted => {}
                _ => return Err(error).context("cannot read from the network interface of a host"),
            },
        }
    }
    Ok(())
}

/// Whether a packet may leave the link that it is on: multicast, broadcast and link-local ones stay there, as at a router.
fn crosses(packet: &[u8]) -> bool {
    match packet.first().map(|first| first >> 4) {
        Some(4) => address::<4>(packet, 16).is_some_and(|bytes| {
            let to = Ipv4Addr::from(bytes);
            !(to.is_multicast() || to.is_broadcast() || to.is_link_local() || to.is_unspecified())
        }),
        Some(6) => address::<16>(packet, 8)
            .zip(address::<16>(packet, 24))
            .is_some_and(|(from, to)| {
                let (from, to) = (Ipv6Addr::from(from), Ipv6Addr::from(to));
                let is_local = from.is_unicast_link_local() || to.is_unicast_link_local();
                !(is_local || to.is_multicast() || to.is_unspecified())
            }),
        _ => false,
    }
}

fn address<const LENGTH: usize>(packet: &[u8], offset: usize) -> Option<[u8; LENGTH]> {
    packet.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipv4_to(to: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&[10, 0, 1, 1]);
        packet[16..20].copy_from_slice(&to);
        packet
    }

    fn ipv6(from: &str, to: &str) -> Vec<u8> {
        let mut packet = vec![0; 48];
        packet[0] = 0x60;
        for (offset, address) in [(8, from), (24, to)] {
            let address: Ipv6Addr = address.parse().expect("an address");
            packet[offset..offset + 16].copy_from_slice(&address.octets());
        }
        packet
    }

    #[test]
    fn packet_to_another_network_crosses() {
        assert!(crosses(&ipv4_to([10, 0, 2, 1])));
        assert!(crosses(&ipv4_to([192, 0, 2, 1])));
        assert!(crosses(&ipv6("fd00::1", "2001:db8::1")));
    }

    #[test]
    fn packet_for_neighbours_stays() {
        for to in [[224, 0, 0, 251], [255; 4], [169, 254, 0, 1], [0; 4]] {
            assert!(!crosses(&ipv4_to(to)), "{to:?}");
        }
        for (from, to) in [
            ("fd00::1", "ff02::fb"),
            ("fd00::1", "fe80::1"),
            ("fe80::1", "fd00::1"),
            ("fd00::1", "::"),
        ] {
            assert!(!crosses(&ipv6(from, to)), "{from} to {to}");
        }
    }

    #[test]
    fn truncated_packet_stays() {
        let whole = ipv6("fd00::1", "fd00::2");
        for length in 0..40 {
            assert!(!crosses(&whole[..length]), "{length}");
        }
        let whole = ipv4_to([10, 0, 2, 1]);
        for length in 0..20 {
            assert!(!crosses(&whole[..length]), "{length}");
        }
    }
}
