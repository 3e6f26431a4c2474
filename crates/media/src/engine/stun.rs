//! What a STUN server says of our address (RFC 8489). No sockets and no clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId};
use stun_types::prelude::*;

/// The first wait for an answer, doubled with every try (RFC 8489, 6.2.1).
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Times a request is sent (Rc in RFC 8489, 6.2.1).
pub(super) const MAX_TRIES: u32 = 7;

/// The wait after the last try: 16 times the first (Rm in RFC 8489, 6.2.1).
const LAST_WAIT: Duration = Duration::from_secs(8);

/// NATs forget a mapping that is not used; most keep it for half a minute at least.
pub(super) const REFRESH: Duration = Duration::from_secs(25);

/// Asks one server, from one socket, where our datagrams seem to come from.
///
/// The owner sends what [`poll_transmit`](Self::poll_transmit) returns to [`server`](Self::server), calls
/// it again at [`deadline`](Self::deadline), and hands in what comes from the server.
#[derive(Debug)]
pub(super) struct StunGathering {
    server: SocketAddr,
    transaction: Option<TransactionId>,
    tries: u32,
    next: Instant,
    mapping: Option<Mapping>,
    failed: bool,
}

/// Where our datagrams seem to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The address of ours that they are sent from.
    pub(super) base: SocketAddr,
    /// Where the server saw them come from.
    pub(super) mapped: SocketAddr,
}

impl StunGathering {
    pub(super) fn new(server: SocketAddr, now: Instant) -> Self {
        Self {
            server,
            transaction: None,
            tries: 0,
            next: now,
            mapping: None,
            failed: false,
        }
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// The last answer.
    pub(super) fn mapping(&self) -> Option<Mapping> {
        self.mapping
    }

    /// When to call [`poll_transmit`](Self::poll_transmit).
    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// Whether a request has just come to nothing; said once each time.
    pub(super) fn take_failure(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// The request, if it is time to send it.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.next {
            return None;
        }
        if self.transaction.is_some() && self.tries >= MAX_TRIES {
            self.transaction = None;
            self.mapping = None;
            self.failed = true;
            self.next = now + REFRESH;
            return None;
        }
        let transaction = *self.transaction.get_or_insert_with(|| {
            self.tries = 0;
            TransactionId::generate()
        });
        self.tries += 1;
        self.next = now
            + if self.tries == MAX_TRIES {
                LAST_WAIT
            } else {
                FIRST_WAIT * 2u32.pow(self.tries - 1)
            };
        let kind =
            stun_types::message::MessageType::from_class_method(MessageClass::Request, BINDING);
        Some(Message::builder(kind, transaction, MessageWriteVec::new()).finish())
    }

    /// Takes a datagram that came from the server to our address `base`; returns a mapping that is new.
    pub(super) fn receive(
        &mut self,
        base: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Option<Mapping> {
        let message = Message::from_bytes(datagram).ok()?;
        let transaction = self.transaction?;
        if message.transaction_id() != transaction || !message.is_response() {
            return None;
        }
        if !message.has_class(MessageClass::Success) {
            return None;
        }
        let mapped = message.attribute::<XorMappedAddress>().ok()?;
        let mapped = mapped.addr(transaction);
        self.transaction = None;
        self.next = now + REFRESH;
        let mapping = Mapping { base, mapped };
        let is_new = self.mapping.replace(mapping) != Some(mapping);
        is_new.then_some(mapping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// What a server answers that sees requests come from `mapped`.
    fn answer(request: &[u8], mapped: &str) -> Vec<u8> {
        let request = Message::from_bytes(request).expect("a request");
        assert!(request.has_class(MessageClass::Request) && request.has_method(BINDING));
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        let mapped = XorMappedAddress::new(address(mapped), request.transaction_id());
        answer.add_attribute(&mapped).expect("it has room");
        answer.finish()
    }

    #[test]
    fn an_answer_gives_the_mapping_and_is_refreshed() {
        let now = Instant::now();
        let base = address("192.0.2.1:5000");
        let mut gathering = StunGathering::new(address("198.51.100.1:3478"), now);
        let request = gathering.poll_transmit(now).expect("a request");
        assert_eq!(gathering.poll_transmit(now), None);
        let mapping = Mapping {
            base,
            mapped: address("203.0.113.7:6000"),
        };
        let mapped = gathering.receive(base, &answer(&request, "203.0.113.7:6000"), now);
        assert_eq!(
            (mapped, gathering.mapping()),
            (Some(mapping), Some(mapping))
        );
        assert_eq!(gathering.deadline(), now + REFRESH);

        let later = now + REFRESH;
        let again = gathering.poll_transmit(later).expect("a request");
        assert_ne!(again, request, "a transaction of its own");
        let old = answer(&request, "203.0.113.9:1");
        assert_eq!(gathering.receive(base, &old, later), None);
        let same = answer(&again, "203.0.113.7:6000");
        assert_eq!(gathering.receive(base, &same, later), None, "nothing new");

        let latest = later + REFRESH;
        let third = gathering.poll_transmit(latest).expect("a request");
        let moved = answer(&third, "203.0.113.7:7000");
        let moved = gathering.receive(base, &moved, latest).expect("it moved");
        assert_eq!(moved.mapped, address("203.0.113.7:7000"));
        assert!(!gathering.take_failure());
    }

    #[test]
    fn a_server_that_never_answers_is_asked_seven_times() {
        let start = Instant::now();
        let mut gathering = StunGathering::new(address("198.51.100.1:3478"), start);
        let mut asked = Vec::new();
        let mut first = None;
        while !gathering.take_failure() {
            let now = gathering.deadline();
            if let Some(request) = gathering.poll_transmit(now) {
                assert_eq!(*first.get_or_insert_with(|| request.clone()), request);
                asked.push((now - start).as_millis());
            }
        }
        // The times of RFC 8489, 6.2.1.
        assert_eq!(asked, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        let failed = Duration::from_millis(39_500);
        assert_eq!(gathering.deadline(), start + failed + REFRESH);
        assert!(!gathering.take_failure(), "it is said once");
        let now = gathering.deadline();
        assert!(gathering.poll_transmit(now).is_some(), "it is asked again");
    }

    #[test]
    fn what_is_no_answer_is_passed_over() {
        let now = Instant::now();
        let base = address("192.0.2.1:5000");
        let mut gathering = StunGathering::new(address("198.51.100.1:3478"), now);
        let request = gathering.poll_transmit(now).expect("a request");
        let good = answer(&request, "203.0.113.7:6000");
        for length in 0..good.len() {
            assert_eq!(gathering.receive(base, &good[..length], now), None);
        }
        assert_eq!(gathering.receive(base, &request, now), None);
        let parsed = Message::from_bytes(&request).expect("a request");
        let refusal = Message::builder_error(&parsed, MessageWriteVec::new()).finish();
        assert_eq!(gathering.receive(base, &refusal, now), None);
        assert!(gathering.receive(base, &good, now).is_some());
        assert_eq!(gathering.receive(base, &good, now), None, "said already");
    }
}
