//! Two DTLS ends with a link between them that loses datagrams.

use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use str0m_proto::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, SrtpProfile};

/// Longer than any handshake that OpenSSL has not given up, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(60);

pub struct End {
    pub dtls: Box<dyn DtlsInstance>,
    pub peer_certificate: Option<Vec<u8>>,
    pub keys: Option<(Vec<u8>, SrtpProfile)>,
    pub connected: bool,
    pub received: Vec<Vec<u8>>,
    pub closed_by_peer: bool,
    pub failure: Option<DtlsImplError>,
    wake_at: Instant,
}

impl End {
    pub fn new(mut dtls: Box<dyn DtlsInstance>, active: bool) -> Self {
        dtls.set_active(active);
        Self {
            dtls,
            peer_certificate: None,
            keys: None,
            connected: false,
            received: Vec::new(),
            closed_by_peer: false,
            failure: None,
            wake_at: Instant::now(),
        }
    }

    fn datagrams(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 2048];
        let mut datagrams = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                DtlsOutput::Packet(datagram) => {
                    assert!(datagram.len() <= 1_200, "larger than the MTU");
                    datagrams.push(datagram.to_vec());
                }
                DtlsOutput::PeerCert(der) => self.peer_certificate = Some(der.to_vec()),
                DtlsOutput::KeyingMaterial(keys, profile) => {
                    assert!(
                        self.peer_certificate.is_some(),
                        "keys before the certificate"
                    );
                    self.keys = Some((keys.to_vec(), profile));
                }
                DtlsOutput::Connected => self.connected = true,
                DtlsOutput::ApplicationData(data) => self.received.push(data.to_vec()),
                DtlsOutput::CloseNotify => self.closed_by_peer = true,
                DtlsOutput::BufferTooSmall { needed } => buffer.resize(needed, 0),
                DtlsOutput::Timeout(at) => {
                    self.wake_at = at;
                    return datagrams;
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn wake(&mut self) {
        if let Err(error) = self.dtls.handle_timeout(Instant::now()) {
            self.failure.get_or_insert(error);
        }
    }
}

pub struct Link {
    loss: f64,
    random: StdRng,
}

impl Link {
    pub fn new(loss: f64, seed: u64) -> Self {
        Self {
            loss,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Carries datagrams both ways until `done`.
    pub fn run(&mut self, a: &mut End, b: &mut End, done: impl Fn(&End, &End) -> bool) {
        let start = Instant::now();
        while !done(a, b) {
            assert!(start.elapsed() < DEADLINE, "not done in time");
            a.wake();
            b.wake();
            let moved = self.carry(a, b) + self.carry(b, a);
            if moved == 0 && !done(a, b) {
                let now = Instant::now();
                let at = a.wake_at.min(b.wake_at).min(now + Duration::from_secs(1));
                thread::sleep(at.saturating_duration_since(now));
            }
        }
    }

    fn carry(&mut self, from: &mut End, to: &mut End) -> usize {
        let datagrams = from.datagrams();
        for datagram in &datagrams {
            if self.random.random_bool(1.0 - self.loss)
                && let Err(error) = to.dtls.handle_packet(datagram)
            {
                to.failure.get_or_insert(error);
            }
        }
        datagrams.len()
    }
}
