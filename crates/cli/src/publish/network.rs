//! Settings of elements that ask over a network: credentials, certificates and transport.

use std::path::{Path, PathBuf};

use gio::prelude::*;
use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::address::Address;
use super::event::Failure;

/// How RTP comes from a server of RTSP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RtspTransport {
    /// UDP; TCP if nothing comes, or too much is lost on the way.
    #[default]
    Auto,
    /// Within the connection of RTSP.
    Tcp,
    /// UDP, whatever is lost.
    Udp,
}

/// How sources are asked over a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NetworkSettings {
    /// Certificates (PEM): of authorities, or of the sources themselves.
    pub(crate) cafile: Option<PathBuf>,
    /// Takes whatever certificate a source shows.
    pub(crate) insecure_tls: bool,
    pub(crate) transport: RtspTransport,
}

impl NetworkSettings {
    /// Prepares an element that asks for what has this address; says if the certificate that it is shown is refused.
    pub(super) fn apply(
        &self,
        source: &gst::Element,
        address: &Address,
        refused: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        if let Some(credentials) = address.credentials()
            && source.has_property("user-id")
        {
            source.set_property("user-id", &credentials.user);
            source.set_property("user-pw", &credentials.password);
        }
        if source.has_property("protocols") {
            match self.transport {
                RtspTransport::Auto => {}
                RtspTransport::Tcp => source.set_property_from_str("protocols", "tcp"),
                RtspTransport::Udp => source.set_property_from_str("protocols", "udp+udp-mcast"),
            }
        }
        self.apply_tls(source, refused)
    }

    fn apply_tls(
        &self,
        source: &gst::Element,
        refused: impl Fn() + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        if self.insecure_tls {
            if source.has_property("tls-validation-flags") {
                source.set_property("tls-validation-flags", gio::TlsCertificateFlags::empty());
            } else if source.has_property("ssl-strict") {
                source.set_property("ssl-strict", false);
            }
        }
        // A camera's own certificate seldom names the address by which it is reached.
        let known = match &self.cafile {
            Some(path) => Self::trust(source, path)?,
            None => Vec::new(),
        };
        // It is asked for certificates that are not found good otherwise.
        if glib::subclass::SignalId::lookup("accept-certificate", source.type_()).is_some() {
            source.connect("accept-certificate", false, move |values| {
                // Of some elements it is the second, of others the third.
                let mut values = values.iter();
                let shown = values.find_map(|value| value.get::<gio::TlsCertificate>().ok());
                let shown = shown.and_then(|shown| pem(&shown));
                let is_known = shown.is_some_and(|shown| known.contains(&shown));
                if !is_known {
                    refused();
                }
                Some(is_known.to_value())
            });
        }
        Ok(())
    }

    /// Has an element trust the authorities of a file; returns the certificates in it.
    fn trust(source: &gst::Element, path: &Path) -> Result<Vec<String>, Failure> {
        let failed = |error: glib::Error| Failure {
            text: format!("no certificates in {}: {}", path.display(), error.message()),
            lasting: true,
        };
        if source.has_property("tls-database") {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let database = gio::TlsFileDatabase::new(path).map_err(failed)?;
            source.set_property("tls-database", database);
        }
        let certificates = gio::TlsCertificate::list_new_from_file(path).map_err(failed)?;
        Ok(certificates.iter().filter_map(pem).collect())
    }
}

fn pem(certificate: &gio::TlsCertificate) -> Option<String> {
    certificate.certificate_pem().map(Into::into)
}
