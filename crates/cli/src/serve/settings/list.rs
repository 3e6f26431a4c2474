//! The list of all settings.

use wigwag_server::{
    AllowedHost, AllowedOrigin, ForwardedHeader, FrameAncestor, Network, SignallingHost,
};

use super::super::quantity::{Bytes, Count, Delay, Time};
use super::super::value::{
    File, Format, Kind, List, LogFilter, Mode, Optional, Parsed, Port, Switch, Text, Version,
};
use super::setting::Setting;

macro_rules! setting {
    ($key:literal, $kind:ty, $($field:ident).+, $about:literal $(, example: $example:literal)?) => {
        Setting {
            key: $key,
            about: $about,
            example: concat!($($example)?),
            read: |settings, given, folder| {
                settings.$($field).+ = <$kind>::read(given, folder)?;
                Ok(())
            },
            show: |settings| <$kind>::show(&settings.$($field).+),
        }
    };
}

/// By sections, those without a section first.
pub(in super::super) static SETTINGS: &[Setting] = &[
    setting!(
        "host",
        Text,
        config.host,
        "Address or name to listen on; \"::\" is every address, IPv4 and IPv6."
    ),
    setting!(
        "port",
        Port,
        config.port,
        "TCP port of the JSON protocol, the page, and the text protocol at /text."
    ),
    setting!(
        "text_port", Optional<Port>, config.text_port,
        "TCP port of the text protocol (HELLO, SESSION, ROOM) alone, at any path.",
        example: "8444"
    ),
    setting!(
        "only_producers_call_consumers",
        Switch,
        config.policy.only_producers_call_consumers,
        "Whether only producers may call passive consumers; the reference lets any peer."
    ),
    setting!(
        "allowed_origins",
        List<Parsed<AllowedOrigin>>,
        config.allowed_origins,
        "Pages from which browsers may connect, such as \"https://example.org\", besides those of the same host and of the browser's machine; \"*\" is any."
    ),
    setting!(
        "allowed_hosts",
        List<Parsed<AllowedHost>>,
        config.allowed_hosts,
        "Names by which browsers may ask for the server, such as \"*.example.org\", besides addresses and the names of the machine and the certificate; \"*\" is any."
    ),
    setting!(
        "trusted_proxies",
        List<Parsed<Network>>,
        config.trusted_proxies,
        "Networks of proxies that say truly whose requests they bring, such as \"10.0.0.0/8\"."
    ),
    setting!(
        "forwarded_header",
        Parsed<ForwardedHeader>,
        config.forwarded_header,
        "The header in which they say it: \"x-forwarded-for\", or \"forwarded\" (RFC 7239)."
    ),
    setting!(
        "metrics_from",
        List<Parsed<Network>>,
        config.metrics_from,
        "Networks whose clients may read /metrics."
    ),
    setting!(
        "log",
        LogFilter,
        log,
        "What to log: error, warn, info, debug, trace, or a filter such as \"info,wigwag_server=debug\"."
    ),
    setting!(
        "log_format",
        Format,
        log_format,
        "Lines of the log: \"text\" for people, \"json\" for programs."
    ),
    setting!(
        "page.frame_ancestors",
        List<Parsed<FrameAncestor>>,
        config.frame_ancestors,
        "Pages of other origins that may show the page in a frame, such as \"https://home.example\" or \"http://10.0.0.2:*\"."
    ),
    setting!(
        "page.signalling_hosts",
        List<Parsed<SignallingHost>>,
        config.signalling_hosts,
        "Hosts that ?signalling= in the page's address may name besides the page's own, such as \"*.example.org\"; for others the page asks first."
    ),
    setting!(
        "tls.certificate", Optional<File>, tls.certificate,
        "Certificate and chain (PEM): serves wss and https.",
        example: "\"/etc/wigwag/cert.pem\""
    ),
    setting!(
        "tls.key", Optional<File>, tls.key,
        "Private key of the certificate (PEM, not encrypted).",
        example: "\"/etc/wigwag/key.pem\""
    ),
    setting!(
        "tls.minimum_version",
        Version,
        tls.minimum_version,
        "The oldest version that is spoken: \"1.2\" or \"1.3\"."
    ),
    setting!(
        "tls.watch_interval",
        Time,
        tls.watch_interval,
        "How often the files are looked at, to use what has taken their place."
    ),
    setting!(
        "tls.hsts_max_age",
        Delay,
        tls.hsts_max_age,
        "How long browsers are to use https alone for the names in the certificate, at every port of these hosts (HSTS); 0s says nothing."
    ),
    setting!(
        "tls.acme.domains",
        List<Text>,
        tls.acme.domains,
        "Names to order a certificate for (ACME), in the place of files; port 443 of each must lead here."
    ),
    setting!(
        "tls.acme.contact",
        List<Text>,
        tls.acme.contact,
        "Mail addresses that the authority may write to."
    ),
    setting!(
        "tls.acme.cache_directory",
        File,
        tls.acme.cache_directory,
        "Where the account's key and the certificate are kept, for nobody else to read."
    ),
    setting!(
        "tls.acme.directory_url",
        Text,
        tls.acme.directory_url,
        "The authority's directory."
    ),
    setting!(
        "tls.acme.authority", Optional<File>, tls.acme.authority,
        "Authorities (PEM) to verify the directory's server against, in place of the system's.",
        example: "\"/etc/wigwag/acme-authority.pem\""
    ),
    setting!(
        "tls.client_certificates.authority", Optional<File>, tls.clients.authority,
        "Asks clients for certificates from these authorities (PEM).",
        example: "\"/etc/wigwag/clients.pem\""
    ),
    setting!(
        "tls.client_certificates.required",
        Switch,
        tls.clients.required,
        "Whether a client without a certificate is refused."
    ),
    setting!(
        "admin.port", Optional<Port>, admin.port,
        "TCP port of the admin API; without one there is none.",
        example: "8445"
    ),
    setting!(
        "admin.host",
        Text,
        admin.host,
        "Where the admin API listens; anywhere but on the loopback interface it needs a token, and TLS."
    ),
    setting!(
        "admin.token_file", Optional<File>, admin.token_file,
        "A file that holds what whoever asks the admin API has to show: 16 or more letters and digits.",
        example: "\"/etc/wigwag/admin-token\""
    ),
    setting!(
        "admin.allow_plaintext",
        Switch,
        admin.allow_plaintext,
        "Whether the token may cross the network without TLS."
    ),
    setting!(
        "admin.socket", Optional<File>, admin.socket,
        "A Unix socket for the admin API on this machine; who may use the file needs no token.",
        example: "\"/run/wigwag/admin.sock\""
    ),
    setting!(
        "admin.socket_mode",
        Mode,
        admin.socket_mode,
        "Who may use it: \"0600\", the user of the server alone, or \"0660\", its group as well."
    ),
    setting!(
        "limits.max_connections",
        Count,
        config.limits.max_connections,
        "Connections at once, of whatever kind; more wait in the system's backlog."
    ),
    setting!(
        "limits.max_connections_per_address",
        Count,
        config.limits.max_connections_per_address,
        "Connections at once from one address, an IPv6 address with all of its /64, while there are few others; less as the server fills."
    ),
    setting!(
        "limits.address_connections_per_second",
        Count<u32>,
        config.limits.address_connections_per_second,
        "New connections a second from one address, in the long run."
    ),
    setting!(
        "limits.address_connection_burst",
        Count<u32>,
        config.limits.address_connection_burst,
        "New connections from one address that may come at once."
    ),
    setting!(
        "limits.max_addresses",
        Count,
        config.limits.max_addresses,
        "Addresses that are remembered for these limits."
    ),
    setting!(
        "limits.peer_messages_per_second",
        Count<u32>,
        config.limits.peer_messages_per_second,
        "Messages a second from one client, in the long run. A message counts once, and once more for each 4 KiB of its length."
    ),
    setting!(
        "limits.peer_message_burst",
        Count<u32>,
        config.limits.peer_message_burst,
        "Messages from one client that may come at once."
    ),
    setting!(
        "limits.address_messages_per_second",
        Count<u32>,
        config.limits.address_messages_per_second,
        "Messages a second from all clients of one address, in the long run, long ones as above."
    ),
    setting!(
        "limits.address_message_burst",
        Count<u32>,
        config.limits.address_message_burst,
        "Messages from all clients of one address that may come at once."
    ),
    setting!(
        "limits.exempt_loopback",
        Switch,
        config.limits.exempt_loopback,
        "Whether clients on this machine are free of the limits by address and of messages a second."
    ),
    setting!(
        "limits.max_message_bytes",
        Bytes,
        config.limits.max_message_bytes,
        "Size of one message from a client."
    ),
    setting!(
        "limits.max_queued_bytes",
        Bytes,
        config.limits.max_queued_bytes,
        "What may wait for one peer that does not read."
    ),
    setting!(
        "limits.max_queued_messages",
        Count,
        config.limits.max_queued_messages,
        "Messages that may wait for one peer that does not read."
    ),
    setting!(
        "limits.max_held_bytes",
        Bytes,
        config.limits.max_held_bytes,
        "What all connections together may hold: of messages that came in part, and of those that wait for slow readers."
    ),
    setting!(
        "limits.handshake_timeout",
        Time,
        config.limits.handshake_timeout,
        "For the TLS handshake, and again for the head of the HTTP request."
    ),
    setting!(
        "limits.hello_timeout",
        Time,
        config.limits.hello_timeout,
        "How long a client of the text protocol has to say HELLO."
    ),
    setting!(
        "limits.ping_interval",
        Time,
        config.limits.ping_interval,
        "A client that was silent for this long is pinged."
    ),
    setting!(
        "limits.pong_timeout",
        Time,
        config.limits.pong_timeout,
        "A client that stays silent for this long after a ping is closed, and so is one that takes nothing for this and ping_interval together."
    ),
    setting!(
        "limits.close_timeout",
        Time,
        config.limits.close_timeout,
        "How long a client has to read the reason why it is closed."
    ),
    setting!(
        "limits.shutdown_delay",
        Delay,
        config.limits.shutdown_delay,
        "How long a server that is told to stop goes on, but for /readyz, so that load balancers notice first."
    ),
    setting!(
        "limits.shutdown_timeout",
        Time,
        config.limits.shutdown_timeout,
        "How long a server that stops waits for its connections."
    ),
    setting!(
        "limits.max_peers",
        Count,
        config.policy.max_peers,
        "Peers connected at once."
    ),
    setting!(
        "limits.max_peers_per_address",
        Count,
        config.policy.max_peers_per_address,
        "Of these, those of one address while there are few others; less as the server fills."
    ),
    setting!(
        "limits.max_sessions_per_caller",
        Count,
        config.policy.max_sessions_per_caller,
        "Sessions at once that one peer started."
    ),
    setting!(
        "limits.max_sessions",
        Count,
        config.policy.max_sessions,
        "Sessions at once in all."
    ),
    setting!(
        "limits.max_sessions_per_address",
        Count,
        config.policy.max_sessions_per_address,
        "Of these, those that one address started, while there are few others."
    ),
    setting!(
        "limits.max_meta_bytes",
        Bytes,
        config.policy.max_meta_bytes,
        "Size of one peer's meta, as compact JSON."
    ),
    setting!(
        "limits.max_meta_bytes_in_all",
        Bytes,
        config.policy.max_meta_bytes_in_all,
        "Size of all metas together."
    ),
    setting!(
        "limits.max_meta_bytes_per_address",
        Bytes,
        config.policy.max_meta_bytes_per_address,
        "Of these, those of one address, while there are few others."
    ),
    setting!(
        "text_limits.max_peers",
        Count,
        config.text_policy.max_peers,
        "Peers of the text protocol connected at once."
    ),
    setting!(
        "text_limits.max_peers_per_address",
        Count,
        config.text_policy.max_peers_per_address,
        "Of these, those of one address while there are few others; less as the server fills."
    ),
    setting!(
        "text_limits.max_rooms",
        Count,
        config.text_policy.max_rooms,
        "Rooms at once that have members."
    ),
    setting!(
        "text_limits.max_rooms_per_address",
        Count,
        config.text_policy.max_rooms_per_address,
        "Of these, those that one address opened, while there are few others."
    ),
    setting!(
        "text_limits.max_room_members",
        Count,
        config.text_policy.max_room_members,
        "Members of one room."
    ),
    setting!(
        "text_limits.max_id_bytes",
        Bytes,
        config.text_policy.max_id_bytes,
        "Size of the id of a peer and of the name of a room."
    ),
];
