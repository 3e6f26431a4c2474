//! Datagrams on their way in and out of OpenSSL.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// Datagrams of one flight that may wait to be sent. A flight with a large RSA chain is some ten.
const MAX_OUTGOING: usize = 64;

/// What OpenSSL reads from and writes to; each read and write is a datagram.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    incoming: Option<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Datagrams {
    /// Puts the datagram where OpenSSL reads it next. One at a time: the owner lets OpenSSL read
    /// after each.
    pub(super) fn receive(&mut self, datagram: &[u8]) {
        self.incoming = Some(datagram.to_vec());
    }

    /// The next datagram to send.
    pub(super) fn first_outgoing(&self) -> Option<&[u8]> {
        self.outgoing.front().map(Vec::as_slice)
    }

    pub(super) fn drop_first_outgoing(&mut self) {
        self.outgoing.pop_front();
    }
}

impl Read for Datagrams {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(datagram) = self.incoming.take() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        // As with a socket, what does not fit is lost.
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Datagrams {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        // As with a socket, what there is no room for is lost; DTLS sends it again.
        if self.outgoing.len() < MAX_OUTGOING {
            self.outgoing.push_back(datagram.to_vec());
        }
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let mut datagrams = Datagrams::default();
        for _ in 0..2 * MAX_OUTGOING {
            assert_eq!(datagrams.write(&[0; 10]).expect("taken"), 10);
        }
        let mut waiting = 0;
        while datagrams.first_outgoing().is_some() {
            datagrams.drop_first_outgoing();
            waiting += 1;
        }
        assert_eq!(waiting, MAX_OUTGOING);
    }

    #[test]
    fn a_datagram_is_read_once() {
        let mut datagrams = Datagrams::default();
        datagrams.receive(b"abc");
        let mut buffer = [0; 10];
        assert_eq!(datagrams.read(&mut buffer).expect("read"), 3);
        let error = datagrams.read(&mut buffer).expect_err("nothing left");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
