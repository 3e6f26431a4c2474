//! DTLS 1.2 by OpenSSL, behind str0m's interface.
//!
//! # Time
//!
//! OpenSSL decides by the system's clock when a flight is to be sent again, and cannot be told
//! another. The instants that str0m hands in are only used to say when it wants to be called next.
//! With a virtual clock a handshake succeeds as long as nothing is lost.
//!
//! # Trust
//!
//! Any certificate is accepted during the handshake; str0m compares its fingerprint with the one in
//! the session description before it takes the keys (RFC 8122). A peer without a certificate is
//! refused.

mod buffers;
mod certificate;
mod context;
mod datagrams;
mod instance;
mod lazy;
mod records;
mod retransmission;

use std::time::Instant;

use openssl::error::ErrorStack;
use str0m_proto::crypto::dtls::{DtlsCert, DtlsInstance, DtlsProvider};
use str0m_proto::crypto::{CryptoError, DtlsVersion};

use lazy::LazyInstance;

/// Makes DTLS connections. Connections with one certificate share one OpenSSL context.
#[derive(Debug)]
pub(crate) struct OpenSslDtls;

/// Datagram payload if str0m names none: what fits through any path that WebRTC meets.
const DEFAULT_MTU: usize = 1_200;

impl DtlsProvider for OpenSslDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        certificate::generate()
            .inspect_err(|error| tracing::error!(%error, "cannot make a DTLS certificate"))
            .ok()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        if version == DtlsVersion::Dtls13 {
            let message = "DTLS 1.3 is not supported; use DTLS 1.2, which every peer speaks";
            return Err(CryptoError::Other(message.to_owned()));
        }
        let context = context::shared(certificate).map_err(|error| other(&error))?;
        let mtu = mtu.unwrap_or(DEFAULT_MTU);
        Ok(Box::new(LazyInstance::new(context, mtu, now)))
    }
}

fn other(error: &ErrorStack) -> CryptoError {
    CryptoError::Other(error.to_string())
}
