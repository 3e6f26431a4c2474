//! Limits of connections. Those of the protocols are in [`wigwag_hub::Policy`] and
//! [`wigwag_hub::text::Policy`].

use std::time::Duration;

use crate::address_limiter::AddressLimits;
use crate::error::StartError;
use crate::rate::Rate;

/// Sessions that all connections of one address may start, a second in the long run and at once.
const ADDRESS_CALLS_PER_SECOND: u32 = 100;
const ADDRESS_CALL_BURST: u32 = 4_000;

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, of whatever kind; more wait in the system's backlog.
    pub max_connections: usize,
    /// Connections at once from one address while there are few others, an IPv6 address with all of its /64; less as
    /// `max_connections` come near. More are refused with 429.
    pub max_connections_per_address: usize,
    /// New connections a second from one address, in the long run; more are refused with 429, and who then
    /// still comes as often is not answered. Requests by a trusted proxy count as new connections of their
    /// clients.
    pub address_connections_per_second: u32,
    /// New connections from one address that may come at once.
    pub address_connection_burst: u32,
    /// Addresses that are remembered for these limits: those with connections and those that had some
    /// lately. A connection from one more is refused with 503.
    pub max_addresses: usize,
    /// Messages a second from one WebSocket connection, in the long run; more close it with 1008. Here and in the
    /// following, a message counts once, and once more for each 4 KiB of its length.
    pub peer_messages_per_second: u32,
    /// Messages from one WebSocket connection that may come at once.
    pub peer_message_burst: u32,
    /// Messages a second from all connections of one address, in the long run; more close the connection
    /// that sent them with 1008. HTTP requests count as messages, and are refused with 429.
    pub address_messages_per_second: u32,
    /// Messages from all connections of one address that may come at once.
    pub address_message_burst: u32,
    /// Whether connections from this machine are free of the limits by address and of messages a second.
    pub exempt_loopback: bool,
    /// Bytes of one message from a client; a larger one closes the connection with 1009.
    pub max_message_bytes: usize,
    /// Bytes that may wait for one peer that does not read; more close it with 1008.
    pub max_queued_bytes: usize,
    /// Messages that may wait for one peer that does not read; more close it with 1008.
    pub max_queued_messages: usize,
    /// Bytes that all connections together may hold: of messages that came in part, and of those that wait for peers that
    /// read slowly. An address may hold an eighth while others hold little; see [`Shares`](wigwag_hub::Shares). A
    /// connection that would hold more is closed with 1013; of what waits for others, sessions end.
    pub max_held_bytes: usize,
    /// For the TLS handshake, and again for the head of the HTTP request.
    pub handshake_timeout: Duration,
    /// How long a client of the text protocol has to say HELLO; one that takes longer is closed with 1008.
    pub hello_timeout: Duration,
    /// A peer that was silent for this long is pinged.
    pub ping_interval: Duration,
    /// A peer that stays silent for this long after a ping is closed with 1008. Any client that takes nothing of what
    /// is sent to it for as long as this and `ping_interval` together is disconnected.
    pub pong_timeout: Duration,
    /// How long a peer has to read the reason why it is closed.
    pub close_timeout: Duration,
    /// How long a server that is to stop goes on serving, but for `/readyz`: so that load
    /// balancers notice before clients do.
    pub shutdown_delay: Duration,
    /// How long a server that stops waits for its connections.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 70_000,
            // How these were chosen stands in docs/limits-and-metrics.md.
            max_connections_per_address: 1_024,
            address_connections_per_second: 100,
            address_connection_burst: 2_000,
            max_addresses: 131_072,
            peer_messages_per_second: 1_000,
            peer_message_burst: 20_000,
            address_messages_per_second: 10_000,
            address_message_burst: 200_000,
            exempt_loopback: true,
            max_message_bytes: 1024 * 1024,
            max_queued_bytes: 4 * 1024 * 1024,
            max_queued_messages: 4_096,
            max_held_bytes: 192 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(30),
            // Both original servers ping after the same time.
            ping_interval: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// How long a client may take none of what is sent to it: as long as one that is silent may be.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.ping_interval.saturating_add(self.pong_timeout)
    }

    /// The limits of each address.
    pub(crate) fn of_address(&self) -> AddressLimits {
        AddressLimits {
            max_connections: self.max_connections_per_address,
            max_connections_in_all: self.max_connections,
            connection_rate: Rate::new(
                self.address_connections_per_second,
                self.address_connection_burst,
            ),
            message_rate: Rate::new(self.address_messages_per_second, self.address_message_burst),
            call_rate: Rate::new(ADDRESS_CALLS_PER_SECOND, ADDRESS_CALL_BURST),
            max_addresses: self.max_addresses,
            exempt_loopback: self.exempt_loopback,
        }
    }

    /// The rate of messages of one connection.
    pub(crate) fn peer_message_rate(&self) -> Rate {
        Rate::new(self.peer_messages_per_second, self.peer_message_burst)
    }

    /// Finds what would let nobody in, or nobody stay.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let numbers = [
            ("max_connections", self.max_connections),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
            ),
            ("max_addresses", self.max_addresses),
            ("max_message_bytes", self.max_message_bytes),
            ("max_queued_bytes", self.max_queued_bytes),
            ("max_queued_messages", self.max_queued_messages),
            ("max_held_bytes", self.max_held_bytes),
        ];
        let rates = [
            (
                "address_connections_per_second",
                self.address_connections_per_second,
            ),
            ("address_connection_burst", self.address_connection_burst),
            ("peer_messages_per_second", self.peer_messages_per_second),
            ("peer_message_burst", self.peer_message_burst),
            (
                "address_messages_per_second",
                self.address_messages_per_second,
            ),
            ("address_message_burst", self.address_message_burst),
        ];
        let times = [
            ("handshake_timeout", self.handshake_timeout),
            ("hello_timeout", self.hello_timeout),
            ("ping_interval", self.ping_interval),
            ("pong_timeout", self.pong_timeout),
            ("close_timeout", self.close_timeout),
        ];
        let zero_numbers = numbers.iter().filter(|(_, number)| *number == 0);
        let zero_rates = rates.iter().filter(|(_, rate)| *rate == 0);
        let zero_times = times.iter().filter(|(_, time)| time.is_zero());
        let mut names = zero_numbers
            .map(|(name, _)| *name)
            .chain(zero_rates.map(|(name, _)| *name))
            .chain(zero_times.map(|(name, _)| *name));
        let name = names.next();
        name.map_or(Ok(()), |name| Err(StartError::Limit { name }))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use wigwag_hub::{Policy, text};

    use super::*;

    const PAGE: &str = include_str!("../../../docs/limits-and-metrics.md");

    fn names(limits: &impl Debug) -> Vec<String> {
        let text = format!("{limits:?}");
        let fields = text.split(['{', ',', '}']).skip(1);
        let names = fields.filter_map(|field| Some(field.split_once(": ")?.0.trim().to_owned()));
        names.collect()
    }

    #[test]
    fn the_page_names_every_limit() {
        assert!(names(&Limits::default()).len() > 15);
        for name in names(&Limits::default()) {
            assert!(PAGE.contains(&format!("`{name}`")), "{name}");
        }
        for name in names(&Policy::default()) {
            let is_limit = name.starts_with("max_");
            let named = PAGE.contains(&format!("`limits.{name}`"));
            assert!(named || !is_limit, "{name}");
        }
        for name in names(&text::Policy::default()) {
            assert!(PAGE.contains(&format!("`text_limits.{name}`")), "{name}");
        }
    }

    #[test]
    fn longest_list_by_default_taken_by_the_browser_api() {
        const API: &str = include_str!("../../../web/api/src/protocol.ts");
        assert!(API.contains("MAX_MESSAGE_CHARS = 16 * 1024 * 1024;"));
        let policy = Policy::default();
        // An id, `{"id":"…","meta":…},`, and none more than that.
        let frame = 36 + r#"{"id":"","meta":},"#.len();
        assert!(policy.max_meta_bytes_in_all + policy.max_peers * frame <= 16 * 1024 * 1024);
    }

    #[test]
    fn nothing_may_be_zero_that_would_keep_everyone_out() {
        Limits::default().check().expect("it is in order");
        let none = Limits {
            peer_message_burst: 0,
            ..Limits::default()
        };
        let error = none
            .check()
            .expect_err("nobody could say anything")
            .to_string();
        assert_eq!(error, "the limit peer_message_burst must be more than 0");
    }
}
