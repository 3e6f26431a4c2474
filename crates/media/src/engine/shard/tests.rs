//! Shards in virtual time, with a network that only takes notes.

mod checks;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::super::inbox::ViewerRequest;
use super::super::publication::Added;
use super::super::stun_servers::StunServers;
use super::*;
use crate::engine::PublicationEvent;
use crate::ids::RenditionId;
use crate::session::{
    Certificate, Codec, CodecConfig, ConfigError, EndReason, LimitError, OfferExtent,
    SET_UP_TIMEOUT, StreamConfig, TransportError,
};

const ONE: ViewerId = ViewerId(1);

#[derive(Default)]
struct Notes {
    sent: Vec<SocketAddr>,
    /// With their sources and destinations, until somebody takes them.
    datagrams: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Network for Notes {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        self.sent.push(destination);
        self.datagrams
            .push((source, destination, datagram.to_vec()));
    }

    fn flush(&mut self) {}

    fn at(&self, address: IpAddr) -> Option<SocketAddr> {
        Some(SocketAddr::new(address, 5_000))
    }
}

/// What a publication of the test hears, if it has room.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<PublicationEvent>>,
    is_full: AtomicBool,
}

struct Scene {
    shard: Shard,
    inbox: Arc<Inbox>,
    network: Notes,
    now: Instant,
    config: Arc<SessionConfig>,
    heard: Arc<Heard>,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        let inbox = Arc::new(Inbox::new(|| (), Arc::default()));
        let hosts = HostAddresses::new(vec![Ipv4Addr::LOCALHOST.into()]);
        let codecs = vec![CodecConfig {
            number: 0,
            alternate_number: None,
            codec: Codec::Vp8,
            colour_space: None,
        }];
        let id = StreamId(0);
        let config = SessionConfig {
            certificate: Certificate::generate().expect("a certificate"),
            name: "wigwag".to_owned(),
            streams: vec![StreamConfig {
                id,
                codecs,
                playout_delay: None,
                passed_through: None,
            }],
            start_bitrate: None,
            max_wait: Duration::from_millis(500),
            retransmission: false,
            extent: OfferExtent::Full,
            receive: None,
        };
        Self {
            shard: Shard::new(0, Arc::clone(&inbox), hosts, Limit::checks(1), now),
            inbox,
            network: Notes::default(),
            now,
            config: Arc::new(config),
            heard: Arc::default(),
        }
    }

    fn publication(&self, key: u64, stun_server: Option<Arc<StunServer>>) -> Arc<Shared> {
        let heard = Arc::clone(&self.heard);
        let listener = move |event| {
            if heard.is_full.load(Ordering::Relaxed) {
                return Err(event);
            }
            heard.events.lock().expect("nobody panicked").push(event);
            Ok(())
        };
        let key = PublicationKey(key);
        let admissions = [Arc::default(), Arc::default()];
        let shared = Shared::new(key, Box::new(listener), None, stun_server, admissions, 1);
        Arc::new(shared)
    }

    fn ask(&mut self, publication: &Arc<Shared>, viewer: ViewerId, request: ViewerRequest) {
        let publication = Arc::clone(publication);
        let command = Command::Viewer {
            publication,
            viewer,
            request,
        };
        self.shard.command(command, self.now, &mut self.network);
    }

    /// Lets all viewers of a publication be sent the frames of these tests, as if they had answered.
    fn subscribe_all(&mut self, publication: &Arc<Shared>) {
        let of = self.shard.publications.get_mut(&publication.key);
        let of = of.expect("it has viewers");
        let rendition = frame().rendition;
        for key in &of.order {
            self.shard.viewers[*key].subscriptions = vec![rendition];
            of.subscriptions.replace(*key, &[], &[rendition]);
        }
    }

    fn add(&mut self, publication: &Arc<Shared>, viewer: ViewerId) {
        let added = publication.add_route(viewer, 0, &self.inbox);
        assert_eq!(added, Added::Admitted);
        let config = Arc::clone(&self.config);
        let request = ViewerRequest::Add(config, Negotiation::Offer);
        self.ask(publication, viewer, request);
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.shard.deadline().filter(|at| *at <= end) {
            // At least a little, so that it comes to an end whatever the deadlines say.
            self.now = at.max(self.now + Duration::from_micros(100));
            self.shard.wake(self.now, &mut self.network);
        }
        self.now = end;
    }

    fn ends(&self) -> Vec<(ViewerId, EndReason)> {
        let events = self.heard.events.lock().expect("nobody panicked");
        let end = |event: &PublicationEvent| match &event.kind {
            ViewerEvent::Ended(reason) => Some((event.viewer, reason.clone())),
            _ => None,
        };
        events.iter().filter_map(end).collect()
    }

    fn assert_empty(&self) {
        let shard = &self.shard;
        assert!(shard.publications.is_empty() && shard.viewers.is_empty());
        assert_eq!(shard.deadlines.next(), None);
        assert_eq!(shard.gatherings.deadline(), None);
        assert_eq!(self.inbox.sessions.load(Ordering::Relaxed), 0);
    }
}

fn frame() -> Arc<Frame> {
    Arc::new(Frame {
        rendition: RenditionId {
            stream: StreamId(0),
            codec: 0,
            level: 0,
        },
        rtp_time: 0,
        wall_clock: Instant::now(),
        key: true,
        temporal_layer: 0,
        packets: Vec::new(),
    })
}

#[test]
fn each_frame_begins_with_another_viewer() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    for viewer in 0..3 {
        scene.add(&publication, ViewerId(viewer));
    }
    scene.subscribe_all(&publication);
    let mut order = Vec::new();
    for _ in 0..4 {
        scene.shard.begin_frame(publication.key, frame());
        let fan_out = scene.shard.fan_out.as_ref().expect("it has begun");
        let mut viewers = fan_out.viewers.clone();
        viewers.reverse();
        order.push(viewers);
        scene.shard.fan_out(scene.now, &mut scene.network);
        assert!(!scene.shard.is_fanning_out());
    }
    let turns = [vec![1, 2, 0], vec![2, 0, 1], vec![0, 1, 2], vec![1, 2, 0]];
    assert_eq!(order, turns);
}

#[test]
fn a_frame_for_many_viewers_leaves_room_for_other_work() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    let other = scene.publication(2, None);
    let many = FAN_OUT_AT_ONCE as u64 + 1;
    for viewer in 0..many {
        scene.add(&publication, ViewerId(viewer));
    }
    scene.subscribe_all(&publication);
    scene.shard.begin_frame(publication.key, frame());
    scene.shard.fan_out(scene.now, &mut scene.network);
    assert!(scene.shard.is_fanning_out());
    // Meanwhile all are replaced by others, who take their places.
    for viewer in 0..many {
        scene.ask(&publication, ViewerId(viewer), ViewerRequest::Remove);
        scene.add(&other, ViewerId(viewer));
    }
    scene.shard.fan_out(scene.now, &mut scene.network);
    assert!(!scene.shard.is_fanning_out());
    assert_eq!(scene.ends().len(), many as usize);
}

#[test]
fn viewers_that_leave_leave_nothing() {
    let mut scene = Scene::new();
    let servers = StunServers::default();
    let server = servers.get("192.0.2.9:3478", |_| ());
    let publication = scene.publication(1, server);
    for viewer in 0..5 {
        scene.add(&publication, ViewerId(viewer));
    }
    assert_eq!(scene.inbox.sessions.load(Ordering::Relaxed), 5);
    // In an order that moves others in theirs.
    for viewer in [2, 0, 4, 3] {
        scene.ask(&publication, ViewerId(viewer), ViewerRequest::Remove);
        scene.ask(&publication, ViewerId(viewer), ViewerRequest::Remove);
    }
    let left = scene.shard.statistics(publication.key);
    assert_eq!(left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ONE]);
    scene.ask(&publication, ONE, ViewerRequest::Remove);
    assert_eq!(scene.ends().len(), 5);
    scene.assert_empty();
}

#[test]
fn a_viewer_that_never_answers_ends() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    scene.add(&publication, ONE);
    scene.run(SET_UP_TIMEOUT - Duration::from_secs(1));
    assert_eq!(scene.ends(), []);
    scene.run(Duration::from_secs(2));
    assert_eq!(scene.ends(), [(ONE, TransportError::SetUpTimedOut.into())]);
    scene.assert_empty();
}

#[test]
fn who_has_no_room_for_events_hears_them_later() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    scene.heard.is_full.store(true, Ordering::Relaxed);
    scene.add(&publication, ONE);
    scene.ask(&publication, ONE, ViewerRequest::Remove);
    let none = Arc::new(SessionConfig {
        streams: Vec::new(),
        ..(*scene.config).clone()
    });
    let request = ViewerRequest::Add(none, Negotiation::Offer);
    let added = publication.add_route(ViewerId(2), 0, &scene.inbox);
    assert_eq!(added, Added::Admitted);
    scene.ask(&publication, ViewerId(2), request);
    let added = publication.add_route(ViewerId(3), 0, &scene.inbox);
    assert_eq!(added, Added::Admitted);
    for viewer in [ViewerId(3), ViewerId(3), ONE] {
        let (shard, network) = (&mut scene.shard, &mut scene.network);
        shard.refuse(&publication, viewer, scene.now, network);
    }
    scene.run(Duration::from_secs(5));
    assert_eq!(scene.ends(), []);
    assert_eq!(scene.shard.viewers.len(), 3);
    scene.heard.is_full.store(false, Ordering::Relaxed);
    scene.run(Duration::from_secs(1));
    let ends = [
        (ONE, EndReason::Closed),
        (ViewerId(2), ConfigError::NothingToOffer.into()),
        (ViewerId(3), LimitError::Overloaded.into()),
    ];
    assert_eq!(scene.ends(), ends);
    let events = scene.heard.events.lock().expect("nobody panicked").clone();
    assert!(matches!(
        events[0].kind,
        ViewerEvent::LocalDescription { .. }
    ));
    scene.assert_empty();
    assert_eq!(scene.shard.deadline(), None, "nothing is left to be done");
}

#[test]
fn a_publication_that_is_closed_takes_along_what_nobody_heard() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    let other = scene.publication(2, None);
    scene.add(&other, ONE);
    scene.heard.is_full.store(true, Ordering::Relaxed);
    for viewer in 0..3 {
        scene.add(&publication, ViewerId(viewer));
    }
    scene.ask(&publication, ONE, ViewerRequest::Remove);
    let (sender, closed) = mpsc::channel();
    let command = Command::Close(publication.key, sender);
    scene.shard.command(command, scene.now, &mut scene.network);
    assert_eq!(closed.try_recv(), Ok(()));
    assert_eq!(scene.shard.viewers.len(), 1);
    scene.heard.is_full.store(false, Ordering::Relaxed);
    scene.shard.stop(scene.now, &mut scene.network);
    assert_eq!(scene.ends(), [(ONE, EndReason::Closed)]);
    scene.assert_empty();
}

#[test]
fn a_stun_server_that_never_answers_is_asked_and_left_alone() {
    let mut scene = Scene::new();
    let servers = StunServers::default();
    let server = servers.get("192.0.2.9:3478", |_| ());
    let publication = scene.publication(1, server);
    scene.add(&publication, ONE);
    scene.run(SET_UP_TIMEOUT - Duration::from_secs(1));
    let asked = scene.network.sent.iter();
    let asked = asked.filter(|to| to.port() == 3478).count();
    assert_eq!(asked, 5, "after 0, 0.5, 1.5, 3.5 and 7.5 s");
    assert_eq!(scene.ends(), []);
}
