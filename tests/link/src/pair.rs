//! Two hosts with a link between them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::conditions::{Conditions, MTU};
use crate::forwarder::Forwarder;
use crate::link::{Counters, Link};
use crate::namespace::Namespace;
use crate::tun::{INTERFACE, Tun};

/// How many packets the kernel keeps for this process to read: a burst of 15 MB. What exceeds it the kernel drops, and the
/// link does not see it.
const KERNEL_QUEUE_PACKETS: usize = 10_000;

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first host.
    A,
    /// The second host.
    B,
}

/// A way through the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the first host to the second.
    AToB,
    /// From the second host to the first.
    BToA,
}

impl Side {
    /// Both hosts.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The IPv4 address of the host.
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 1 + self as u8, 1)
    }

    /// The IPv6 address of the host.
    #[must_use]
    pub const fn ipv6(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, 1 + self as u16, 0, 0, 0, 1)
    }
}

impl Direction {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::AToB, Self::BToA];
}

/// Two hosts of their own inside the kernel, and the link between them. All of it is gone when this is dropped, also while a
/// test panics.
#[derive(Debug)]
pub struct LinkPair {
    // First, so that its devices are closed before their namespaces end.
    forwarder: Forwarder,
    namespaces: [Namespace; 2],
}

impl LinkPair {
    /// Makes two hosts, joined by a link with these conditions. The addresses of each work at once.
    pub fn new(a_to_b: Conditions, b_to_a: Conditions) -> Result<Self> {
        let links = [Link::new(a_to_b)?, Link::new(b_to_a)?];
        let namespaces = [Namespace::new()?, Namespace::new()?];
        let devices = [
            set_up(&namespaces[0], Side::A)?,
            set_up(&namespaces[1], Side::B)?,
        ];
        Ok(Self {
            forwarder: Forwarder::start(devices, links)?,
            namespaces,
        })
    }

    /// The network namespace of a host.
    #[must_use]
    pub fn namespace(&self, side: Side) -> &Namespace {
        &self.namespaces[side as usize]
    }

    /// The same command, to be run on a host.
    #[must_use]
    pub fn enter(&self, side: Side, command: &Command) -> Command {
        self.namespace(side).enter(command)
    }

    /// Runs `job` on a thread that is on a host, and returns what it returns: sockets that it makes stay there, on whatever
    /// thread they are used later.
    ///
    /// # Panics
    ///
    /// If `job` does.
    pub fn run<T: Send>(&self, side: Side, job: impl FnOnce() -> T + Send) -> Result<T> {
        self.namespace(side).run(job)
    }

    /// Changes the conditions of a direction, from this moment on; [`Link::set_conditions`] has the details. Fails, and
    /// changes nothing, if a link cannot do what they say, or if the interface of a host is gone.
    pub fn set(&self, direction: Direction, conditions: Conditions) -> Result<()> {
        self.forwarder.with_links(|links| {
            links[direction as usize].set_conditions(Instant::now(), conditions)
        })??;
        Ok(())
    }

    /// The conditions of a direction. Fails if the interface of a host is gone.
    pub fn conditions(&self, direction: Direction) -> Result<Conditions> {
        self.forwarder
            .with_links(|links| links[direction as usize].conditions().clone())
    }

    /// What became of packets in a direction so far. Fails if the interface of a host is gone.
    pub fn counters(&self, direction: Direction) -> Result<Counters> {
        self.forwarder
            .with_links(|links| *links[direction as usize].counters())
    }
}

/// Makes the interface of a host, with addresses and routes.
fn set_up(namespace: &Namespace, side: Side) -> Result<Tun> {
    let device = namespace
        .run(Tun::create)?
        .context("cannot make a TUN device; is /dev/net/tun there, and open to this user?")?;
    let mtu = MTU.to_string();
    let queue = KERNEL_QUEUE_PACKETS.to_string();
    let ipv4 = format!("{}/24", side.ipv4());
    let ipv6 = format!("{}/64", side.ipv6());
    // No address but these, and usable at once: no other host can have them.
    let link = ["link", "set", INTERFACE, "addrgenmode", "none"];
    namespace.ip(&[&link[..], &["mtu", &mtu, "txqueuelen", &queue]].concat())?;
    namespace.ip(&["address", "add", &ipv4, "dev", INTERFACE])?;
    namespace.ip(&["address", "add", &ipv6, "dev", INTERFACE, "nodad"])?;
    namespace.ip(&["link", "set", INTERFACE, "up"])?;
    namespace.ip(&["-4", "route", "add", "default", "dev", INTERFACE])?;
    namespace.ip(&["-6", "route", "add", "default", "dev", INTERFACE])?;
    Ok(device)
}
