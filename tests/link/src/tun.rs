//! The interface of a host, whose packets this process reads and writes.

// One ioctl. Of the crates that wrap it, one leaks the device in release builds, and the other brings a dozen crates along.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::ioctl_fionbio;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// The name of the interface in each namespace.
pub(crate) const INTERFACE: &str = "link0";

/// Where TUN devices come from: `Documentation/networking/tuntap.rst` of Linux.
const DEVICE: &str = "/dev/net/tun";

/// `TUNSETIFF` of `linux/if_tun.h`. It was declared with an `int`, and takes a `struct ifreq`.
const SET_INTERFACE: Opcode = opcode::write::<i32>(b'T', 202);

/// IP packets, without anything before them: `IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL` of `linux/if_tun.h`.
const FLAGS: u16 = 0x0001 | 0x1000 | 0x8000;

/// `struct ifreq` of `linux/if.h`, with the member of its union that `TUNSETIFF` reads.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    /// The union has 24 bytes where pointers have eight, and 16 elsewhere.
    rest: [u8; 22],
}

/// A TUN device, gone when dropped. Reading and writing never block.
#[derive(Debug)]
pub(crate) struct Tun {
    file: File,
}

impl Tun {
    /// Makes the device in the namespace of this thread.
    pub(crate) fn create() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(DEVICE)?;
        let mut request = InterfaceRequest {
            name: [0; 16],
            flags: FLAGS,
            rest: [0; 22],
        };
        request.name[..INTERFACE.len()].copy_from_slice(INTERFACE.as_bytes());
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which is no larger than the request, and keeps no pointer.
        unsafe { ioctl(&file, Updater::<SET_INTERFACE, _>::new(&mut request))? };
        ioctl_fionbio(&file, true)?;
        Ok(Self { file })
    }

    /// Reads a packet that goes out of the namespace.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buffer)
    }

    /// Writes a packet that comes into the namespace.
    pub(crate) fn write(&self, packet: &[u8]) -> io::Result<usize> {
        (&self.file).write(packet)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
