//! The keys of SRTCP, from the DTLS handshake (RFC 5764): a viewer that keeps packets from str0m reports
//! of them itself.
//!
//! str0m takes the keys from its DTLS provider and hands them to nobody. So the provider of such viewers
//! leaves a copy on the thread that drives the handshake, where the viewer takes it as soon as str0m
//! returns. Thus keys never meet another viewer's.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use dimpl::SrtpProfile;
use str0m::config::CryptoProvider;
use str0m_proto::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion,
};
use str0m_proto::crypto::{CryptoError, DtlsVersion};

thread_local! {
    static LEFT: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// What a handshake agreed on.
pub(super) struct Keys {
    pub(super) profile: SrtpProfile,
    /// Both keys, then both salts, the client's first.
    pub(super) material: Vec<u8>,
    /// Whether we are the client.
    pub(super) is_client: bool,
}

/// A provider that leaves the keys.
pub(super) fn leaving_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        Arc::new(CryptoProvider {
            dtls_provider: &LeavingDtls,
            ..wigwag_media::crypto_provider()
        })
    });
    Arc::clone(provider)
}

/// The keys that a handshake has left on this thread.
pub(super) fn take() -> Option<Keys> {
    LEFT.take()
}

#[derive(Debug)]
struct LeavingDtls;

#[derive(Debug)]
struct LeavingInstance(Box<dyn DtlsInstance>);

impl DtlsProvider for LeavingDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        wigwag_media::crypto_provider()
            .dtls_provider
            .generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let ours = wigwag_media::crypto_provider().dtls_provider;
        let instance = ours.new_dtls(certificate, now, version, mtu)?;
        Ok(Box::new(LeavingInstance(instance)))
    }
}

impl DtlsInstance for LeavingInstance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            LEFT.set(Some(Keys {
                profile: *profile,
                material: material.to_vec(),
                is_client: self.0.is_active(),
            }));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
