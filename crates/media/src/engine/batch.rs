//! Datagrams that are handed to the kernel together.

use std::net::SocketAddr;

/// What the kernel takes in one go, whatever it says of segments: the largest UDP payload over IPv4.
pub(super) const MAX_BATCH_BYTES: usize = 65_507;

/// Datagrams in a row from one address to another that wait to be sent by one call.
///
/// Segmentation offload cuts a buffer into datagrams of one size, of which only the last may be shorter;
/// so a batch ends where a size grows, and after one that is shorter.
#[derive(Debug)]
pub(super) struct Batch {
    path: Option<(SocketAddr, SocketAddr)>,
    bytes: Vec<u8>,
    segment: usize,
    count: usize,
    complete: bool,
}

/// A batch on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segments<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: &'a [u8],
    /// The size of each datagram but the last.
    pub(super) segment: usize,
    pub(super) count: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            path: None,
            bytes: Vec::with_capacity(MAX_BATCH_BYTES),
            segment: 0,
            count: 0,
            complete: false,
        }
    }

    /// Lets a datagram wait; sends what waits first if they do not go together. Too large a datagram is
    /// left out, and false returned: no path takes it.
    pub(super) fn push(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        max_segments: usize,
        send: impl FnMut(Segments<'_>),
    ) -> bool {
        if datagram.is_empty() || datagram.len() > MAX_BATCH_BYTES {
            return false;
        }
        let goes_along = self.path == Some((source, destination))
            && !self.complete
            && datagram.len() <= self.segment
            && self.count < max_segments
            && self.bytes.len() + datagram.len() <= MAX_BATCH_BYTES;
        if !goes_along {
            self.flush(send);
            self.path = Some((source, destination));
            self.segment = datagram.len();
        }
        self.complete = datagram.len() < self.segment;
        self.count += 1;
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, mut send: impl FnMut(Segments<'_>)) {
        if let Some((source, destination)) = self.path.take() {
            send(Segments {
                source,
                destination,
                bytes: &self.bytes,
                segment: self.segment,
                count: self.count,
            });
        }
        self.bytes.clear();
        self.segment = 0;
        self.count = 0;
        self.complete = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    /// The sizes of the datagrams of each batch, with the port it goes to.
    fn batches(datagrams: &[(u16, usize)], max_segments: usize) -> Vec<(u16, Vec<usize>)> {
        let mut sent = Vec::new();
        let mut note = |segments: Segments<'_>| {
            let sizes: Vec<_> = segments
                .bytes
                .chunks(segments.segment)
                .map(<[u8]>::len)
                .collect();
            assert_eq!(sizes.len(), segments.count);
            sent.push((segments.destination.port(), sizes));
        };
        let mut batch = Batch::new();
        for (port, size) in datagrams {
            let datagram = vec![0; *size];
            batch.push(
                address(1),
                address(*port),
                &datagram,
                max_segments,
                &mut note,
            );
        }
        batch.flush(&mut note);
        batch.flush(&mut note);
        sent
    }

    #[test]
    fn equal_datagrams_go_together_and_the_last_may_be_shorter() {
        let sent = batches(&[(2, 100), (2, 100), (2, 40), (2, 40)], 64);
        assert_eq!(sent, [(2, vec![100, 100, 40]), (2, vec![40])]);
    }

    #[test]
    fn a_batch_is_split_where_a_size_grows() {
        let sent = batches(&[(2, 99), (2, 100), (2, 100)], 64);
        assert_eq!(sent, [(2, vec![99]), (2, vec![100, 100])]);
    }

    #[test]
    fn each_destination_has_batches_of_its_own() {
        let sent = batches(&[(2, 100), (3, 100), (2, 100)], 64);
        assert_eq!(sent, [(2, vec![100]), (3, vec![100]), (2, vec![100])]);
    }

    #[test]
    fn a_batch_is_bounded_in_segments_and_bytes() {
        let sent = batches(&[(2, 10); 5], 2);
        assert_eq!(sent, [(2, vec![10; 2]), (2, vec![10; 2]), (2, vec![10])]);
        let sent = batches(&[(2, 1_200); 64], 64);
        let whole = MAX_BATCH_BYTES / 1_200;
        assert_eq!(
            sent,
            [(2, vec![1_200; whole]), (2, vec![1_200; 64 - whole])]
        );
        assert_eq!(batches(&[(2, MAX_BATCH_BYTES + 1), (2, 0)], 64), []);
        assert_eq!(batches(&[(2, 10); 2], 1), [(2, vec![10]), (2, vec![10])]);
    }
}
