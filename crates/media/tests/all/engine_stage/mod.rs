//! A publication, its viewers, and the signalling between them, all on the loopback interface.

mod nat;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver as Events, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use nat::Nat;
use wigwag_media::engine::{
    Engine, EngineConfig, Negotiation, Publication, PublicationConfig, PublicationEvent,
    ViewerEvent,
};
use wigwag_media::frame::Frame;
use wigwag_media::ids::{RenditionId, StreamId, ViewerId};
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, EndReason, OfferExtent, SessionConfig, StreamConfig,
};
use wigwag_receiver::{
    Counting, ReceiverId, ReceiverReport, ReceiverSettings, Receivers, StreamKind, StreamReport,
};

pub const VIDEO: StreamId = StreamId(0);
pub const PACKETS: usize = 8;
/// Frames that every viewer's socket can hold.
const FRAMES_AT_ONCE: u32 = 5;
/// Long for a machine that is busy; nothing waits that long if all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn localhost() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

pub fn engine(shards: usize, addresses: &[IpAddr]) -> Engine {
    let shards = NonZeroUsize::new(shards).expect("some");
    let config = EngineConfig {
        shards,
        addresses: addresses.to_vec(),
        ..EngineConfig::default()
    };
    Engine::start(config).expect("an engine")
}

pub fn config() -> Arc<SessionConfig> {
    let codecs = vec![CodecConfig {
        number: 0,
        alternate_number: None,
        codec: Codec::Vp8,
        colour_space: None,
    }];
    let streams = vec![StreamConfig {
        id: VIDEO,
        codecs,
        playout_delay: None,
        passed_through: None,
    }];
    Arc::new(SessionConfig {
        certificate: Certificate::generate().expect("a certificate"),
        name: "wigwag".to_owned(),
        streams,
        start_bitrate: None,
        max_wait: PATIENCE,
        retransmission: true,
        extent: OfferExtent::Full,
        receive: None,
    })
}

pub fn rendition(level: u8) -> RenditionId {
    RenditionId {
        stream: VIDEO,
        codec: 0,
        level,
    }
}

/// What looks like VP8: eight packets of 1,000 bytes but for the last, that is 2 Mbit/s at 30 a second.
pub fn frame(rendition: RenditionId, number: u32, key: bool) -> Arc<Frame> {
    let packets = (0..PACKETS).map(|packet| {
        let mut payload = vec![number as u8; if packet == PACKETS - 1 { 300 } else { 1_000 }];
        // The descriptor says whether a frame begins, and the first bit of the frame whether it is none to
        // begin with (RFC 7741, 4).
        payload[0] = if packet == 0 { 0x10 } else { 0 };
        payload[1] = u8::from(!key);
        payload.into()
    });
    Arc::new(Frame {
        rendition,
        rtp_time: number * 3_000,
        wall_clock: Instant::now(),
        key,
        temporal_layer: 0,
        packets: packets.collect(),
    })
}

/// What an event handler does before it passes an event on; whether it has room for it.
pub type Gate = Arc<dyn Fn(&PublicationEvent) -> bool + Send + Sync>;

pub struct Stage {
    pub engine: Engine,
    pub publication: Option<Publication>,
    pub receivers: Receivers,
    /// The viewers that have a description.
    pub viewers: BTreeMap<ViewerId, ReceiverId>,
    /// What was heard of each.
    pub reported: BTreeMap<ViewerId, Vec<ViewerEvent>>,
    pub config: Arc<SessionConfig>,
    /// Where viewers listen.
    pub addresses: Vec<IpAddr>,
    /// Whether the viewers' candidates come after their answers.
    pub trickle: bool,
    /// The viewers that are to be behind a NAT of their own.
    pub behind_nat: BTreeSet<ViewerId>,
    pub nats: BTreeMap<ViewerId, Nat>,
    /// The viewers that count by headers: they can be made to report anything.
    pub by_headers: BTreeSet<ViewerId>,
    events: Mutex<Events<PublicationEvent>>,
    sent: u32,
}

impl Stage {
    pub fn new(engine: Engine) -> Self {
        Self::with(engine, PublicationConfig::default(), Arc::new(|_| true))
    }

    pub fn with(engine: Engine, publication: PublicationConfig, gate: Gate) -> Self {
        let (sender, events) = channel();
        let publication = engine.publish(publication, move |event| {
            if gate(&event) {
                // The test may be over.
                let _ = sender.send(event);
                Ok(())
            } else {
                Err(event)
            }
        });
        Self {
            engine,
            publication: Some(publication),
            receivers: Receivers::start().expect("a thread"),
            viewers: BTreeMap::new(),
            reported: BTreeMap::new(),
            config: config(),
            addresses: vec![localhost()],
            trickle: false,
            behind_nat: BTreeSet::new(),
            nats: BTreeMap::new(),
            by_headers: BTreeSet::new(),
            events: Mutex::new(events),
            sent: 0,
        }
    }

    pub fn publication(&self) -> &Publication {
        self.publication.as_ref().expect("not closed")
    }

    pub fn add(&self, viewer: ViewerId) {
        let config = Arc::clone(&self.config);
        self.publication()
            .add_viewer(viewer, config, Negotiation::Offer);
    }

    /// Adds a viewer that offers.
    pub fn add_offering(&mut self, viewer: ViewerId) {
        let kinds = [StreamKind::Video];
        let (id, offer) = self
            .receivers
            .offer(&self.addresses, &kinds)
            .expect("an offer");
        self.viewers.insert(viewer, id);
        let preferred = Vec::new();
        let negotiation = Negotiation::Answer { offer, preferred };
        let config = Arc::clone(&self.config);
        self.publication().add_viewer(viewer, config, negotiation);
    }

    /// Adds so many viewers, and waits until they are connected.
    pub fn join(&mut self, viewers: u64) {
        for viewer in 0..viewers {
            self.add(ViewerId(viewer));
        }
        self.wait_connected(viewers);
    }

    pub fn wait_connected(&mut self, viewers: u64) {
        self.wait("all are connected", |stage| {
            (0..viewers).all(|viewer| stage.is_connected(ViewerId(viewer)))
        });
    }

    pub fn is_connected(&self, viewer: ViewerId) -> bool {
        let heard = self.reported.get(&viewer);
        heard.is_some_and(|heard| heard.contains(&ViewerEvent::Connected))
            && self.report(viewer).connected_after.is_some()
    }

    /// Carries messages until the condition holds.
    pub fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(
                Instant::now() < end,
                "not in time: {what}; reports {:?}",
                self.viewers
                    .values()
                    .map(|id| self.receivers.report(*id))
                    .collect::<Vec<_>>(),
            );
            let event = {
                let events = self.events.lock().expect("nobody panicked");
                events.recv_timeout(Duration::from_millis(5))
            };
            if let Ok(event) = event {
                self.on_event(event);
            }
        }
    }

    /// Carries messages for this long.
    pub fn carry(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = {
                let events = self.events.lock().expect("nobody panicked");
                events.recv_timeout(left)
            };
            match event {
                Ok(event) => self.on_event(event),
                Err(_) => return,
            }
        }
    }

    /// The number of the next frame.
    pub fn next_number(&mut self) -> u32 {
        self.sent += 1;
        self.sent - 1
    }

    fn on_event(&mut self, event: PublicationEvent) {
        let PublicationEvent { viewer, kind } = event;
        match &kind {
            ViewerEvent::LocalDescription { sdp, is_answer } if *is_answer => {
                let id = self.viewers[&viewer];
                let taken = self.receivers.accept_answer(id, sdp);
                taken.expect("an answer that can be used");
            }
            ViewerEvent::LocalDescription { sdp, .. } => self.on_offer(viewer, sdp),
            ViewerEvent::LocalCandidate { candidate, .. } => {
                if let Some(id) = self.viewers.get(&viewer) {
                    let taken = self.receivers.add_candidate(*id, candidate);
                    taken.expect("the viewer is there");
                }
            }
            _ => {}
        }
        self.reported.entry(viewer).or_default().push(kind);
    }

    fn on_offer(&mut self, viewer: ViewerId, offer: &str) {
        let offer = self.translated(viewer, offer);
        let counting = match self.by_headers.contains(&viewer) {
            true => Counting::Headers,
            false => Counting::Decrypted,
        };
        let settings = ReceiverSettings {
            counting,
            video_codec: None,
        };
        let (id, answer) = self
            .receivers
            .answer_with(&settings, &self.addresses, &offer)
            .expect("an answer");
        self.viewers.insert(viewer, id);
        let is_candidate = |line: &&str| line.starts_with("a=candidate:");
        let (candidates, rest): (Vec<_>, Vec<_>) = answer.lines().partition(is_candidate);
        let publication = self.publication();
        if self.behind_nat.contains(&viewer) {
            // Where it thinks it is, it cannot be reached.
            publication.accept_answer(viewer, rest.join("\r\n") + "\r\n", Vec::new());
        } else if self.trickle {
            let rest = rest.join("\r\n") + "\r\n";
            publication.accept_answer(viewer, rest, Vec::new());
            assert!(!candidates.is_empty());
            for candidate in candidates {
                publication.add_candidate(viewer, candidate.to_owned());
            }
        } else {
            publication.accept_answer(viewer, answer.clone(), Vec::new());
        }
    }

    /// An offer as a viewer behind a NAT gets it.
    fn translated(&mut self, viewer: ViewerId, offer: &str) -> String {
        if !self.behind_nat.contains(&viewer) {
            return offer.to_owned();
        }
        let engine = candidate(offer);
        let nat = Nat::new(engine);
        let text = |address: SocketAddr| format!(" {} {} typ ", address.ip(), address.port());
        let translated = offer.replace(&text(engine), &text(nat.inner()));
        self.nats.insert(viewer, nat);
        translated
    }

    /// Sends frames, the first a key frame, a few at a time: a viewer that the machine does not let run
    /// loses what its socket cannot hold, as it should.
    pub fn play(&mut self, frames: u32) {
        let before: Vec<_> = self
            .viewers
            .keys()
            .filter(|viewer| self.is_there(**viewer))
            .map(|viewer| (*viewer, self.frames(*viewer)))
            .collect();
        for number in 0..frames {
            let frame = frame(rendition(0), self.sent, number == 0);
            self.sent += 1;
            self.publication().send_frame(frame);
            if number % FRAMES_AT_ONCE == 0 {
                let sent = u64::from(number) + 1;
                self.wait("the viewers keep up", |stage| {
                    before.iter().all(|(viewer, before)| {
                        stage.frames(*viewer) >= before + sent || !stage.is_there(*viewer)
                    })
                });
            }
        }
    }

    fn is_there(&self, viewer: ViewerId) -> bool {
        let report = self.report(viewer);
        report.connected_after.is_some() && !report.is_closed
    }

    fn frames(&self, viewer: ViewerId) -> u64 {
        self.video(viewer).map_or(0, |video| video.frames)
    }

    /// Waits until each of these viewers got so many whole frames.
    pub fn wait_frames(&mut self, viewers: &[u64], frames: u64) {
        self.wait("every frame arrives", |stage| {
            let mut viewers = viewers.iter();
            viewers.all(|viewer| stage.frames(ViewerId(*viewer)) >= frames)
        });
        for viewer in viewers {
            let video = self.video(ViewerId(*viewer)).expect("it was there");
            assert_eq!((video.frames, video.missing), (frames, 0));
        }
    }

    pub fn report(&self, viewer: ViewerId) -> ReceiverReport {
        let id = self.viewers.get(&viewer);
        let report = id.and_then(|id| self.receivers.report(*id).ok());
        report.unwrap_or_default()
    }

    pub fn video(&self, viewer: ViewerId) -> Option<StreamReport> {
        self.report(viewer).streams.into_iter().next()
    }

    pub fn end(&self, viewer: ViewerId) -> Option<&EndReason> {
        let heard = self.reported.get(&viewer)?;
        heard.iter().find_map(|event| match event {
            ViewerEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }

    pub fn has_heard(&self, viewer: ViewerId, event: &ViewerEvent) -> bool {
        let heard = self.reported.get(&viewer);
        heard.is_some_and(|heard| heard.contains(event))
    }

    /// What we offered a viewer.
    pub fn offer(&self, viewer: ViewerId) -> &str {
        let mut heard = self.reported.get(&viewer).into_iter().flatten();
        let offer = heard.find_map(|event| match event {
            ViewerEvent::LocalDescription { sdp, .. } => Some(sdp),
            _ => None,
        });
        offer.expect("an offer")
    }

    /// Where viewers find us: the first candidate of an offer.
    pub fn candidate(&self, viewer: ViewerId) -> SocketAddr {
        candidate(self.offer(viewer))
    }
}

fn candidate(offer: &str) -> SocketAddr {
    let candidate = offer.lines().find(|line| line.contains("candidate:"));
    let mut fields = candidate.expect("a candidate").split(' ').skip(4);
    let mut field = || fields.next().expect("a field");
    let address: IpAddr = field().parse().expect("an address");
    SocketAddr::new(address, field().parse().expect("a port"))
}
