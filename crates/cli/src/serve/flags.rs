//! The flags of `wigwag serve` that stand for settings.

/// Which flag is for which setting: (key, flag), in the order of the command line.
pub(super) const FLAGS: [(&str, &str); 17] = [
    ("host", "host"),
    ("port", "port"),
    ("text_port", "text-port"),
    ("admin.port", "admin-port"),
    ("admin.socket", "admin-socket"),
    ("tls.certificate", "cert"),
    ("tls.key", "key"),
    ("tls.acme.domains", "acme-domain"),
    ("tls.client_certificates.authority", "client-ca"),
    ("limits.ping_interval", "keepalive-timeout"),
    ("allowed_origins", "allowed-origin"),
    ("allowed_hosts", "allowed-host"),
    ("page.frame_ancestors", "frame-ancestor"),
    ("page.signalling_hosts", "page-signalling-host"),
    ("trusted_proxies", "trusted-proxy"),
    (
        "only_producers_call_consumers",
        "only-producers-call-consumers",
    ),
    ("log_format", "log-format"),
];

/// The flag for a setting, if it has one.
pub(super) fn flag_of(key: &str) -> Option<&'static str> {
    let (_, flag) = FLAGS.iter().find(|(of, _)| *of == key)?;
    Some(flag)
}
