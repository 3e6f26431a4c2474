//! One DTLS connection.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use dimpl::TimeoutError;
use openssl::error::ErrorStack;
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslStream};
use str0m_proto::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, KeyingMaterial, ProtocolVersion, SrtpProfile,
};

use super::buffers;
use super::datagrams::Datagrams;
use super::records;
use super::retransmission::{self, GivenUp};

/// The longest plaintext of a record (RFC 6347, 4.1). With room for less, a part of a record might be left in buffers that
/// [`buffers::give_back`] then frees.
const MAX_PLAINTEXT: usize = 16 * 1024;

/// The exporter label of DTLS-SRTP (RFC 5764, 4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// How often str0m looks in while there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct OpenSslInstance {
    stream: SslStream<Datagrams>,
    active: bool,
    state: State,
    /// What str0m has not been told yet. Emptied after every datagram, so one datagram's worth.
    events: VecDeque<Event>,
    now: Instant,
    /// Whether there is nothing to tell until something is done. str0m asks with every packet of media.
    at_rest: bool,
    /// Of the cipher suite that was agreed; zero before.
    least_expansion: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshaking,
    Connected,
    Closed,
    Failed,
}

enum Event {
    PeerCertificate(Vec<u8>),
    Keys(Vec<u8>, SrtpProfile),
    Connected,
    Data(Vec<u8>),
    CloseNotify,
}

impl OpenSslInstance {
    pub(super) fn new(context: &SslContext, mtu: usize, now: Instant) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        ssl.set_mtu(u32::try_from(mtu).unwrap_or(u32::MAX))?;
        retransmission::set_waits(&mut ssl);
        Ok(Self {
            stream: SslStream::new(ssl, Datagrams::default())?,
            active: false,
            state: State::Handshaking,
            events: VecDeque::new(),
            now,
            at_rest: false,
            least_expansion: 0,
        })
    }

    /// Lets OpenSSL do what it can with what there is.
    fn advance(&mut self) -> Result<(), DtlsImplError> {
        forget_errors();
        if self.state == State::Handshaking {
            let handshake = if self.active {
                self.stream.connect()
            } else {
                self.stream.accept()
            };
            match handshake {
                Ok(()) => self.finish_handshake()?,
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(self.fail(&error)),
            }
        }
        if self.state == State::Connected {
            self.with_buffers(Self::read)?;
        }
        Ok(())
    }

    /// After the handshake, buffers are there only while they are needed.
    fn with_buffers<T>(
        &mut self,
        uses: impl FnOnce(&mut Self) -> Result<T, DtlsImplError>,
    ) -> Result<T, DtlsImplError> {
        forget_errors();
        buffers::take(&mut self.stream).map_err(|error| self.fail(&error))?;
        let used = uses(self);
        buffers::give_back(&mut self.stream);
        used
    }

    fn finish_handshake(&mut self) -> Result<(), DtlsImplError> {
        let ssl = self.stream.ssl();
        let certificate = ssl.peer_certificate().and_then(|peer| peer.to_der().ok());
        let keys = export_keys(&self.stream);
        let (Some(certificate), Some((keys, profile))) = (certificate, keys) else {
            return Err(self.fail(&"the peer has no certificate, or takes no SRTP profile of ours"));
        };
        let cipher = ssl.current_cipher().map_or("", |cipher| cipher.name());
        self.least_expansion = records::least_expansion(cipher);
        self.state = State::Connected;
        // The certificate first: str0m stops there if it is not the one that was announced.
        self.events.push_back(Event::PeerCertificate(certificate));
        self.events.push_back(Event::Keys(keys, profile));
        self.events.push_back(Event::Connected);
        Ok(())
    }

    fn read(&mut self) -> Result<(), DtlsImplError> {
        let mut buffer = [0; MAX_PLAINTEXT];
        loop {
            forget_errors();
            match self.stream.ssl_read(&mut buffer) {
                Ok(length) => {
                    let data = buffer[..length].to_vec();
                    self.events.push_back(Event::Data(data));
                }
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.state = State::Closed;
                    self.events.push_back(Event::CloseNotify);
                    return Ok(());
                }
                Err(error) => return Err(self.fail(&error)),
            }
        }
    }

    /// The reason goes to the log: str0m's error type has no place for another library's.
    fn fail(&mut self, reason: &dyn fmt::Display) -> DtlsImplError {
        tracing::debug!(%reason, "DTLS failed");
        self.state = State::Failed;
        DtlsImplError::ConnectionClosed
    }
}

impl DtlsInstance for OpenSslInstance {
    fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.at_rest = false;
        if matches!(self.state, State::Closed | State::Failed) {
            return Ok(());
        }
        // str0m hands in an empty packet to make the client begin; OpenSSL would take it for the end.
        if self.state == State::Connected {
            let plausible = records::plausible(packet, self.least_expansion);
            if plausible.is_empty() {
                return Ok(());
            }
            self.stream.get_mut().receive(&plausible);
        } else if !packet.is_empty() {
            self.stream.get_mut().receive(packet);
        }
        self.advance()
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        if self.at_rest {
            return DtlsOutput::Timeout(self.now + IDLE);
        }
        let datagrams = self.stream.get_mut();
        if let Some(datagram) = datagrams.first_outgoing() {
            let Some(room) = buffer.get_mut(..datagram.len()) else {
                let needed = datagram.len();
                return DtlsOutput::BufferTooSmall { needed };
            };
            room.copy_from_slice(datagram);
            datagrams.drop_first_outgoing();
            return DtlsOutput::Packet(room);
        }
        let Some(event) = self.events.front() else {
            let wait = match self.state {
                State::Handshaking => retransmission::remaining(&mut self.stream),
                _ => None,
            };
            self.at_rest = self.state != State::Handshaking;
            return DtlsOutput::Timeout(self.now + wait.unwrap_or(IDLE));
        };
        if let Event::PeerCertificate(bytes) | Event::Data(bytes) = event
            && bytes.len() > buffer.len()
        {
            let needed = bytes.len();
            return DtlsOutput::BufferTooSmall { needed };
        }
        match self.events.pop_front() {
            Some(Event::PeerCertificate(der)) => DtlsOutput::PeerCert(copy(&der, buffer)),
            Some(Event::Keys(keys, profile)) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys), profile)
            }
            Some(Event::Connected) => DtlsOutput::Connected,
            Some(Event::Data(data)) => DtlsOutput::ApplicationData(copy(&data, buffer)),
            Some(Event::CloseNotify) => DtlsOutput::CloseNotify,
            None => DtlsOutput::Timeout(self.now + IDLE),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.now = now;
        self.at_rest = false;
        if self.state != State::Handshaking {
            return Ok(());
        }
        if let Err(GivenUp) = retransmission::retransmit_if_due(&mut self.stream) {
            forget_errors();
            self.fail(&"the peer does not answer");
            return Err(DtlsImplError::Timeout(TimeoutError::Handshake));
        }
        // The client speaks first; a server has nothing to do but to wait.
        if self.active { self.advance() } else { Ok(()) }
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.at_rest = false;
        match self.state {
            State::Handshaking => Ok(0),
            State::Closed | State::Failed => Err(DtlsImplError::ConnectionClosed),
            State::Connected if data.is_empty() => Ok(0),
            State::Connected => self.with_buffers(|this| {
                let written = this.stream.ssl_write(data);
                written.map_err(|error| this.fail(&error))
            }),
        }
    }

    fn is_active(&self) -> bool {
        self.active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        matches!(self.state, State::Connected | State::Closed).then_some(ProtocolVersion::DTLS1_2)
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed)
    }

    fn is_closed(&self) -> bool {
        self.is_closing() && self.stream.get_ref().first_outgoing().is_none()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.at_rest = false;
        if self.state == State::Connected {
            self.with_buffers(|this| match this.stream.shutdown() {
                Err(error) if !would_block(&error) => Err(this.fail(&error)),
                _ => Ok(()),
            })?;
        }
        if !self.is_closing() {
            self.state = State::Closed;
        }
        Ok(())
    }
}

impl fmt::Debug for OpenSslInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No keys, and nothing of what passes.
        f.debug_struct("OpenSslInstance")
            .field("active", &self.active)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

fn export_keys(stream: &SslStream<Datagrams>) -> Option<(Vec<u8>, SrtpProfile)> {
    use openssl::srtp::SrtpProfileId;
    let ssl = stream.ssl();
    let profile = match ssl.selected_srtp_profile()?.id() {
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => SrtpProfile::AEAD_AES_128_GCM,
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => SrtpProfile::AEAD_AES_256_GCM,
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => SrtpProfile::AES128_CM_SHA1_80,
        _ => return None,
    };
    let mut keys = vec![0; profile.keying_material_len()];
    ssl.export_keying_material(&mut keys, EXPORTER_LABEL, None)
        .ok()?;
    Some((keys, profile))
}

/// Empties OpenSSL's queue of errors, which all connections of a thread share. What one of them left there would be taken for
/// the error of the next that only has to wait (`man SSL_get_error`), and the `openssl` crate does not empty it.
fn forget_errors() {
    drop(ErrorStack::get());
}

fn would_block(error: &openssl::ssl::Error) -> bool {
    matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE)
}

fn copy<'a>(bytes: &[u8], buffer: &'a mut [u8]) -> &'a [u8] {
    let room = &mut buffer[..bytes.len()];
    room.copy_from_slice(bytes);
    room
}
