//! A DTLS connection that takes OpenSSL's time and memory only once its handshake begins: sessions that are called and never
//! answered are cheap.

use std::fmt;
use std::time::{Duration, Instant};

use openssl::ssl::SslContext;
use str0m_proto::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, ProtocolVersion};

use super::instance::OpenSslInstance;

/// How often str0m looks in before the handshake.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct LazyInstance {
    context: SslContext,
    mtu: usize,
    active: bool,
    now: Instant,
    is_closed: bool,
    /// From the first packet on, or from when it is to be a client.
    begun: Option<Box<OpenSslInstance>>,
}

impl LazyInstance {
    pub(super) fn new(context: SslContext, mtu: usize, now: Instant) -> Self {
        Self {
            context,
            mtu,
            active: false,
            now,
            is_closed: false,
            begun: None,
        }
    }

    fn begin(&mut self) -> Result<&mut OpenSslInstance, DtlsImplError> {
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let begun = OpenSslInstance::new(&self.context, self.mtu, self.now);
                let mut begun = begun.map_err(|error| {
                    tracing::error!(%error, "OpenSSL makes no connection");
                    self.is_closed = true;
                    DtlsImplError::ConnectionClosed
                })?;
                begun.set_active(self.active);
                Box::new(begun)
            }
        };
        Ok(self.begun.insert(begun))
    }
}

impl DtlsInstance for LazyInstance {
    fn set_active(&mut self, active: bool) {
        self.active = active;
        if let Some(begun) = &mut self.begun {
            begun.set_active(active);
        }
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        if self.is_closed {
            return Ok(());
        }
        self.begin()?.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        match &mut self.begun {
            Some(begun) => begun.poll_output(buffer),
            None => DtlsOutput::Timeout(self.now + IDLE),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        match &mut self.begun {
            Some(begun) => begun.handle_timeout(now),
            // A client speaks first.
            None if self.active && !self.is_closed => self.begin()?.handle_timeout(now),
            None => Ok(()),
        }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        match &mut self.begun {
            Some(begun) => begun.send_application_data(data),
            None if self.is_closed => Err(DtlsImplError::ConnectionClosed),
            None => Ok(0),
        }
    }

    fn is_active(&self) -> bool {
        self.active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.begun.as_ref()?.protocol_version()
    }

    fn is_closing(&self) -> bool {
        let begun = self.begun.as_ref();
        begun.map_or(self.is_closed, |begun| begun.is_closing())
    }

    fn is_closed(&self) -> bool {
        let begun = self.begun.as_ref();
        begun.map_or(self.is_closed, |begun| begun.is_closed())
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        match &mut self.begun {
            Some(begun) => begun.close(),
            None => {
                self.is_closed = true;
                Ok(())
            }
        }
    }
}

impl fmt::Debug for LazyInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyInstance")
            .field("active", &self.active)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}
