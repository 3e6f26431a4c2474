//! One viewer, without sockets or clock.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::net::Transmit;

use super::header_receiver::HeaderReceiver;
use super::session_receiver::SessionReceiver;
use super::{Counting, ReceiverError, ReceiverReport, ReceiverSettings, StreamKind};

/// One viewer. After any call, its owner takes all that [`poll_transmit`](Self::poll_transmit) has, and
/// calls [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
pub struct Receiver(Either);

enum Either {
    Decrypted(Box<SessionReceiver>),
    Headers(Box<HeaderReceiver>),
}

/// The same call, whichever it is.
macro_rules! either {
    ($receiver:expr, $it:ident => $call:expr) => {
        match $receiver {
            Either::Decrypted($it) => $call,
            Either::Headers($it) => $call,
        }
    };
}

impl Receiver {
    /// A viewer that listens on these addresses.
    ///
    /// # Errors
    ///
    /// One of them cannot be a candidate.
    pub fn new(addresses: &[SocketAddr], now: Instant) -> Result<Self, ReceiverError> {
        Self::with(&ReceiverSettings::default(), addresses, now)
    }

    /// A viewer with settings that listens on these addresses.
    ///
    /// # Errors
    ///
    /// One of them cannot be a candidate.
    pub fn with(
        settings: &ReceiverSettings,
        addresses: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, ReceiverError> {
        Ok(Self(match settings.counting {
            Counting::Decrypted => {
                let receiver = SessionReceiver::new(settings, addresses, now)?;
                Either::Decrypted(Box::new(receiver))
            }
            Counting::Headers => {
                let receiver = HeaderReceiver::new(settings, addresses, now)?;
                Either::Headers(Box::new(receiver))
            }
        }))
    }

    /// Takes the sender's offer (SDP), or a further one; returns the answer.
    ///
    /// # Errors
    ///
    /// The offer cannot be used; or it is a further one, and the viewer counts by headers.
    pub fn answer(&mut self, offer: &str, now: Instant) -> Result<String, ReceiverError> {
        either!(&mut self.0, it => it.answer(offer, now))
    }

    /// Offers to receive streams of these kinds (SDP).
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn offer(&mut self, kinds: &[StreamKind], now: Instant) -> Result<String, ReceiverError> {
        either!(&mut self.0, it => it.offer(kinds, now))
    }

    /// Takes the sender's answer (SDP).
    ///
    /// # Errors
    ///
    /// It cannot be used, or nothing was offered.
    pub fn handle_answer(&mut self, answer: &str, now: Instant) -> Result<(), ReceiverError> {
        either!(&mut self.0, it => it.handle_answer(answer, now))
    }

    /// Takes a candidate of the sender. One that cannot be read is passed over.
    pub fn handle_candidate(&mut self, candidate: &str, now: Instant) {
        either!(&mut self.0, it => it.handle_candidate(candidate, now));
    }

    /// Takes a datagram that came from `source` to `destination`, which is ours.
    pub fn handle_datagram(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        either!(&mut self.0, it => it.handle_datagram(source, destination, datagram, now));
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        either!(&mut self.0, it => it.handle_timeout(now));
    }

    /// Asks for a key frame of every stream of video.
    pub fn ask_for_key_frames(&mut self, now: Instant) {
        either!(&mut self.0, it => it.request_key_frames(now));
    }

    /// Sends reports (RTCP) that `write` makes of the sources (SSRC) of all streams that came, encrypted as its own are. Only a
    /// viewer that counts by headers can.
    pub fn send_reports(&mut self, write: impl FnOnce(&[u32]) -> Vec<u8>) {
        if let Either::Headers(receiver) = &mut self.0 {
            receiver.send_reports(write);
        }
    }

    /// A datagram of reports (RTCP) as they are given, encrypted by the viewer's keys; none if it counts by decrypting, is not
    /// connected yet, or they are too short.
    #[cfg(fuzzing)]
    pub fn forge_reports(&mut self, reports: &[u8]) -> Option<Vec<u8>> {
        match &mut self.0 {
            Either::Decrypted(_) => None,
            Either::Headers(receiver) => receiver.forge_reports(reports),
        }
    }

    /// Ends it, and notifies the sender.
    pub fn close(&mut self, now: Instant) {
        either!(&mut self.0, it => it.close(now));
    }

    /// The next datagrams to send.
    pub fn poll_transmit(&mut self) -> impl Iterator<Item = Transmit> {
        either!(&mut self.0, it => it.take_transmits()).into_iter()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); none once it is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        either!(&self.0, it => it.poll_timeout())
    }

    /// What was counted so far.
    pub fn report(&self) -> ReceiverReport {
        either!(&self.0, it => it.report())
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let now = Instant::now();
        for counting in [Counting::Decrypted, Counting::Headers] {
            let settings = ReceiverSettings {
                counting,
                ..ReceiverSettings::default()
            };
            let nowhere = "0.0.0.0:1".parse().expect("an address");
            let refused = Receiver::with(&settings, &[nowhere], now).map(|_| ());
            assert_eq!(refused, Err(ReceiverError::Address(nowhere)));
            let mut receiver = Receiver::with(&settings, &[], now).expect("a viewer");
            assert!(receiver.answer("nonsense", now).is_err());
            assert_eq!(receiver.offer(&[], now), Err(ReceiverError::Nothing));
            assert!(receiver.handle_answer("v=0", now).is_err());
            receiver.handle_candidate("nonsense", now);
            assert_eq!(receiver.report(), ReceiverReport::default());
        }
    }
}
