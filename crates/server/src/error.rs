//! Why a server does not start.

use std::io;
use std::path::PathBuf;

/// Why a server does not start: its configuration must be fixed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The certificate or its key cannot be used. The server never falls back to plain text.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The name cannot be resolved.
    #[error("cannot find an address for host \"{host}\": {source}")]
    Resolve {
        /// The configured host.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The admin API would be open to the network.
    #[error(
        "the admin API needs a token to be on {host}; without one it is on the loopback interface only"
    )]
    AdminWithoutToken {
        /// The configured host.
        host: String,
    },
    /// The token of the admin API would cross the network in plain text.
    #[error(
        "the admin API would be on {host} without TLS, where others can read its token: give the server a certificate \
         (tls.certificate, --cert), keep the API on the loopback interface or at a socket (admin.socket), or set \
         admin.allow_plaintext if the network keeps others out"
    )]
    AdminPlaintext {
        /// The configured host.
        host: String,
    },
    /// The socket of the admin API cannot be listened on.
    #[error("cannot listen on the admin socket {path}: {source}", path = path.display())]
    AdminSocket {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The socket of the admin API would be for more users than a group, or for nobody.
    #[error("the mode of the admin socket is 0600 or 0660, not {mode:04o}")]
    AdminSocketMode {
        /// The configured mode.
        mode: u32,
    },
    /// A port is to be listened on twice.
    #[error(
        "port {port} is to be listened on twice: the ports for signalling, for the text protocol alone and for the admin \
         API must differ"
    )]
    SamePort {
        /// The port.
        port: u16,
    },
    /// A limit is zero that must not be: nobody could connect, or stay.
    #[error("the limit {name} must be more than 0")]
    Limit {
        /// The field of [`Limits`](crate::Limits) or [`Policy`](crate::Policy); of
        /// [`TextPolicy`](crate::TextPolicy) with `text_limits.` before it.
        name: &'static str,
    },
    /// The configuration asks for something that this build of the library does not have.
    #[error(
        "this program was built without the feature `{feature}` of wigwag-server; build it with that, or leave the \
         setting out"
    )]
    NotBuilt {
        /// The feature of this crate.
        feature: &'static str,
    },
    /// A socket that listens already cannot be taken over.
    #[error("cannot use the socket that was handed over: {0}")]
    Socket(#[source] io::Error),
    /// The directory that is to be served is none, or cannot be read.
    #[error("cannot serve the directory {path}: {source}", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No address that a browser asks for has this path.
    #[error("\"{path}\" cannot be the path of a page: a part of it is \".\" or \"..\"")]
    Path {
        /// The configured path.
        path: String,
    },
}

/// What is wrong with a certificate or a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{path} holds no certificate in PEM form", path = path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no private key.
    #[error(
        "{path} holds no private key in PEM form that is not encrypted",
        path = path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A part of a file is damaged.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        reason: String,
    },
    /// The certificate is not valid now.
    #[error("the certificate in {path} is valid from {from} to {to}, not now", path = path.display())]
    NotValidNow {
        /// The file.
        path: PathBuf,
        /// The first moment of its validity.
        from: String,
        /// The last moment of its validity.
        to: String,
    },
    /// Certificate and key do not belong together, or the key is of no use for TLS.
    #[error("{certificate} and {key} cannot be used together: {source}",
        certificate = certificate.display(), key = key.display())]
    Mismatch {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What the TLS library says.
        source: rustls::Error,
    },
    /// A file of authorities holds something that is none.
    #[error("{path} cannot be used as authorities: {reason}", path = path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What the TLS library says.
        reason: String,
    },
    /// The authorities that this system trusts cannot be used; ACME needs them for the directory.
    #[error(
        "cannot use this system's authorities: {reason}; install them (Debian: ca-certificates), or name a file with \
         the directory's own"
    )]
    SystemAuthorities {
        /// What the TLS library says.
        reason: String,
    },
    /// A certificate is to be ordered by a program that cannot.
    #[error(
        "this program was built without ACME; build it with the feature `acme`, or name a certificate and its key"
    )]
    AcmeIsAbsent,
    /// ACME has no domain.
    #[error("ACME needs a domain at least")]
    NoDomain,
    /// This is no name that can be certified by an answer on port 443.
    #[error("\"{name}\" is no domain that ACME can certify here: addresses and wildcards are not")]
    Domain {
        /// The configured name.
        name: String,
    },
    /// This is no mail address.
    #[error("\"{address}\" is no mail address")]
    Contact {
        /// The configured address.
        address: String,
    },
    /// The address of the authority's directory is none.
    #[error("\"{url}\" is no https address of an ACME directory")]
    DirectoryUrl {
        /// The configured address.
        url: String,
    },
    /// The folder for ACME's keys and certificates cannot be made, read or written to.
    #[error("cannot use the folder {path}: {source}", path = path.display())]
    CacheDirectory {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Files that are replaced cannot be looked for without a pause.
    #[error("the time between two looks at the TLS files must be more than 0")]
    WatchInterval,
    /// Others can read the folder for ACME's keys.
    #[error("others than its owner can use the folder {path}, which holds private keys: chmod 0700 it, or name another", path = path.display())]
    CacheIsOpen {
        /// The folder.
        path: PathBuf,
    },
}
