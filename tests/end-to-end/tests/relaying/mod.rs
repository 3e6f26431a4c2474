//! A relay: a viewer of one producer that is a producer itself.

mod signalling;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use signalling::Signalling;
use wigwag_media::engine::{
    Engine, EngineConfig, Negotiation, Publication, PublicationConfig, PublicationEvent,
    Subscription, SubscriptionEvent, ViewerEvent,
};
use wigwag_media::ids::{RenditionId, StreamId, ViewerId};
use wigwag_media::rtp::access_units::{
    AccessUnitEvent, AccessUnitStatistics, AccessUnits, AccessUnitsConfig, Delivery, UnitFormat,
};
use wigwag_media::rtp::capture_clock::CaptureClock;
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, OfferExtent, ReceiveConfig, RemoteTrack, SessionConfig,
    StreamConfig,
};

const STREAM: StreamId = StreamId(0);
/// Of video (RFC 3551, section 5).
const VIDEO_CLOCK: u32 = 90_000;
/// How long a packet that is missing may take to be sent a second time.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to wait for a packet before messages and events are looked at again.
const POLL: Duration = Duration::from_millis(1);

/// A relay that runs on a thread of its own until it is stopped.
pub(crate) struct Relay {
    id: String,
    stops: Arc<AtomicBool>,
    thread: JoinHandle<Result<AccessUnitStatistics>>,
}

impl Relay {
    /// Receives from a producer of a server what it sends in a codec, and offers it at the same server.
    pub(crate) fn start(server: SocketAddr, producer: &str, codec: Codec) -> Result<Self> {
        let mut upstream = Signalling::connect(server)?;
        let downstream = Signalling::produce(server, "relay")?;
        upstream.start_session(producer)?;
        let id = downstream.id().to_owned();
        let mut running = Running::new(upstream, downstream, codec)?;
        let stops = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stops);
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                running.step()?;
            }
            Ok(running.units.statistics())
        });
        Ok(Self { id, stops, thread })
    }

    /// What the server calls it as a producer.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Stops it, and returns what was counted; fails if it failed before.
    pub(crate) fn stop(self) -> Result<AccessUnitStatistics> {
        self.stops.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the relay panicked"))?
    }
}

struct Running {
    engine: Engine,
    upstream: Signalling,
    downstream: Signalling,
    codec: Codec,
    certificate: Certificate,
    /// None before the producer offers.
    subscription: Option<(Subscription, Receiver<SubscriptionEvent>)>,
    track: Option<RemoteTrack>,
    publication: Publication,
    published: Receiver<PublicationEvent>,
    /// The sessions of viewers, as the server calls them.
    viewers: BTreeMap<ViewerId, String>,
    clock: CaptureClock,
    units: AccessUnits,
}

impl Running {
    fn new(upstream: Signalling, downstream: Signalling, codec: Codec) -> Result<Self> {
        let engine = Engine::start(EngineConfig {
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            ..EngineConfig::default()
        })?;
        let (sender, published) = channel();
        let publication = engine.publish(PublicationConfig::default(), move |event| {
            // Nobody listens once it is stopped.
            let _ = sender.send(event);
            Ok(())
        });
        Ok(Self {
            engine,
            upstream,
            downstream,
            codec,
            certificate: Certificate::generate().context("no certificate")?,
            subscription: None,
            track: None,
            publication,
            published,
            viewers: BTreeMap::new(),
            clock: CaptureClock::default(),
            units: units(Vec::new()),
        })
    }

    fn step(&mut self) -> Result<()> {
        while let Some(message) = self.upstream.poll()? {
            self.on_upstream(&message)?;
        }
        while let Some(message) = self.downstream.poll()? {
            self.on_downstream(&message)?;
        }
        while let Ok(event) = self.published.try_recv() {
            self.on_published(event)?;
        }
        self.relay()
    }

    fn config(&self) -> SessionConfig {
        SessionConfig {
            certificate: self.certificate.clone(),
            name: "relay".to_owned(),
            streams: Vec::new(),
            start_bitrate: None,
            max_wait: Duration::from_secs(1),
            retransmission: true,
            extent: OfferExtent::Full,
            receive: None,
        }
    }

    fn on_upstream(&mut self, message: &Value) -> Result<()> {
        if let Some(offer) = signalling::description(message, "offer") {
            let config = SessionConfig {
                receive: Some(ReceiveConfig {
                    codecs: vec![self.codec],
                    offered: Vec::new(),
                }),
                ..self.config()
            };
            let negotiation = Negotiation::Answer {
                offer,
                preferred: Vec::new(),
            };
            let (sender, events) = channel();
            let listen = move |event| {
                let _ = sender.send(event);
                Ok(())
            };
            let publishing = PublicationConfig::default();
            let subscription =
                self.engine
                    .subscribe(publishing, Arc::new(config), negotiation, listen);
            self.subscription = Some((subscription, events));
        }
        if let (Some(candidate), Some((subscription, _))) =
            (signalling::candidate(message), &self.subscription)
        {
            subscription.handle_candidate(candidate);
        }
        Ok(())
    }

    fn on_downstream(&mut self, message: &Value) -> Result<()> {
        let session = message["sessionId"].as_str().unwrap_or_default();
        if message["type"] == "startSession" {
            let viewer = ViewerId(self.viewers.len() as u64);
            self.viewers.insert(viewer, session.to_owned());
            let codecs = vec![CodecConfig {
                number: 0,
                alternate_number: None,
                codec: self.codec,
                colour_space: None,
            }];
            let stream = StreamConfig {
                id: STREAM,
                codecs,
                playout_delay: None,
                passed_through: None,
            };
            let config = SessionConfig {
                streams: vec![stream],
                ..self.config()
            };
            self.publication
                .add_viewer(viewer, Arc::new(config), Negotiation::Offer);
        }
        let mut viewers = self.viewers.iter();
        let Some((viewer, _)) = viewers.find(|(_, known)| *known == session) else {
            return Ok(());
        };
        if let Some(answer) = signalling::description(message, "answer") {
            self.publication.accept_answer(*viewer, answer, Vec::new());
        }
        if let Some(candidate) = signalling::candidate(message) {
            self.publication.add_candidate(*viewer, candidate);
        }
        Ok(())
    }

    fn on_published(&mut self, event: PublicationEvent) -> Result<()> {
        let session = self.viewers.get(&event.viewer).context("a viewer")?;
        match event.kind {
            ViewerEvent::LocalDescription { sdp, .. } => {
                self.downstream.describe(session, "offer", &sdp)
            }
            ViewerEvent::LocalCandidate { candidate, m_line } => {
                self.downstream.add_candidate(session, &candidate, m_line)
            }
            ViewerEvent::KeyFrameWanted(_) => {
                self.request_key_frame();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes what the producer sends, and passes on the frames of it.
    fn relay(&mut self) -> Result<()> {
        let Some((subscription, events)) = &self.subscription else {
            thread::sleep(POLL);
            return Ok(());
        };
        while let Ok(event) = events.try_recv() {
            match event {
                SubscriptionEvent::LocalDescription { sdp, .. } => {
                    self.upstream.describe_own("answer", &sdp)?;
                }
                SubscriptionEvent::RemoteTracks(tracks) => {
                    let track = tracks.into_iter().next().context("a track")?;
                    self.units = units(formats(&track));
                    self.track = Some(track);
                }
                SubscriptionEvent::Ended(reason) => return Err(anyhow!("{reason:?}")),
                _ => {}
            }
        }
        while let Some(packet) = subscription.next_packet(POLL) {
            let (report, timestamp) = (packet.sender_report, packet.timestamp);
            let arrived = packet.arrived;
            let captured = self
                .clock
                .handle_packet(report, timestamp, VIDEO_CLOCK, arrived);
            self.units.handle_packet(packet, captured);
        }
        self.units.handle_timeout(Instant::now());
        while let Some(unit) = self.units.poll_frame() {
            self.publication.send_frame(Arc::new(unit.frame));
        }
        while let Some(event) = self.units.poll_event() {
            if event == AccessUnitEvent::KeyFrameNeeded {
                self.request_key_frame();
            }
        }
        Ok(())
    }

    fn request_key_frame(&self) {
        if let (Some((subscription, _)), Some(track)) = (&self.subscription, &self.track) {
            subscription.request_key_frame(&track.mid);
        }
    }
}

fn units(formats: Vec<UnitFormat>) -> AccessUnits {
    AccessUnits::new(AccessUnitsConfig {
        formats,
        patience: PATIENCE,
        delivery: Delivery::Whole,
    })
}

fn formats(track: &RemoteTrack) -> Vec<UnitFormat> {
    let format = |format: &wigwag_media::session::RemoteFormat| UnitFormat {
        payload_type: format.payload_type,
        codec: format.codec,
        rendition: RenditionId {
            stream: STREAM,
            codec: 0,
            level: 0,
        },
    };
    track.formats.iter().map(format).collect()
}
