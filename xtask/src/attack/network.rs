//! Four hosts inside the kernel: the server's, through which all others reach each other, that of the cameras, that of the
//! viewers, and that of the attackers, who have as many addresses as they like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use std::process::Command;
use wigwag_link::Namespace;

use super::sources::{IPV4_NETWORK, IPV6_NETWORK, NAMED_NETWORK, Sources};

const PORT: u16 = 8443;
const SERVER_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
const SERVER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
pub(super) const CAMERAS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(super) const VIEWERS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 130);
/// One that attackers of every kind have.
pub(super) const ATTACKERS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 194);

pub(super) struct Network {
    pub(super) server: Namespace,
    pub(super) cameras: Namespace,
    pub(super) viewers: Namespace,
    pub(super) attackers: Namespace,
}

impl Network {
    pub(super) fn new() -> Result<Self> {
        let server = Namespace::new()?;
        let network = Self {
            cameras: server.beside()?,
            viewers: server.beside()?,
            attackers: server.beside()?,
            server,
        };
        network.connect().context("no network; it takes root")?;
        Ok(network)
    }

    fn connect(&self) -> Result<()> {
        let server = &self.server;
        server.ip(&["address", "add", &format!("{SERVER_IPV4}/32"), "dev", "lo"])?;
        server.ip(&[
            "address",
            "add",
            &format!("{SERVER_IPV6}/128"),
            "dev",
            "lo",
            "nodad",
        ])?;
        let cables = [
            (
                "cameras",
                &self.cameras,
                "192.0.2.1/25",
                "192.0.2.2/25",
                "192.0.2.1",
            ),
            (
                "viewers",
                &self.viewers,
                "192.0.2.129/26",
                "192.0.2.130/26",
                "192.0.2.129",
            ),
            (
                "attackers",
                &self.attackers,
                "192.0.2.193/29",
                "192.0.2.194/29",
                "192.0.2.193",
            ),
        ];
        for (cable, host, near, far, gateway) in cables {
            server.connect_by(cable, &[near], host, &[far])?;
            host.ip(&["route", "add", "default", "via", gateway])?;
        }
        // Those of the link are asked for the others' hardware addresses, whatever address a packet is from.
        let ends = [
            (server, "1", "2001:db8:2::1"),
            (&self.attackers, "2", "2001:db8:2::2"),
        ];
        for (host, number, address) in ends {
            for address in [format!("fe80::{number}/64"), format!("{address}/64")] {
                host.ip(&["address", "add", &address, "dev", "attackers", "nodad"])?;
            }
        }
        let attackers = &self.attackers;
        attackers.ip(&["-6", "route", "add", "default", "via", "2001:db8:2::1"])?;
        // Any address of these networks is the attackers' own.
        for network in [IPV4_NETWORK, NAMED_NETWORK] {
            attackers.ip(&["route", "add", "local", network, "dev", "lo"])?;
            server.ip(&["route", "add", network, "via", "192.0.2.194"])?;
        }
        attackers.ip(&["-6", "route", "add", "local", IPV6_NETWORK, "dev", "lo"])?;
        server.ip(&["-6", "route", "add", IPV6_NETWORK, "via", "2001:db8:2::2"])?;
        set(server, "ipv4/ip_forward", "1")?;
        set(attackers, "ipv6/ip_nonlocal_bind", "1")?;
        // More connections from an address than the usual range of ports has room for.
        set(attackers, "ipv4/ip_local_port_range", "1024 65535")
    }

    /// The server's address as attackers with these addresses reach it.
    pub(super) fn server_for(sources: Sources) -> SocketAddr {
        let address = match sources {
            Sources::Ipv4(_) => IpAddr::from(SERVER_IPV4),
            Sources::Ipv6Prefix => IpAddr::from(SERVER_IPV6),
        };
        SocketAddr::new(address, PORT)
    }

    /// The server's address for everybody else.
    pub(super) fn server_address() -> SocketAddr {
        SocketAddr::new(SERVER_IPV4.into(), PORT)
    }
}

/// Sets a variable of a network namespace.
fn set(host: &Namespace, name: &str, value: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("echo {value} > /proc/sys/net/{name}")]);
    let status = host.enter(&shell).status()?;
    ensure!(status.success(), "{name} cannot be set");
    Ok(())
}
