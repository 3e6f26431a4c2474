//! Connectivity checks to addresses that are none of the viewer's.

use std::collections::BTreeMap;

use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::super::super::budget::{
    CHECKS_AT_ONCE, CHECKS_PER_SECOND, VIEWER_ADDRESS_INTERVAL, VIEWER_ADDRESSES_AT_ONCE,
    VIEWER_CHECK_INTERVAL, VIEWER_CHECKS_AT_ONCE, VIEWER_CHECKS_RESERVED,
};
use super::*;
use crate::session::MAX_CANDIDATES;

const STEP: Duration = Duration::from_millis(10);

/// A viewer that is str0m, with a host candidate there.
struct Peer {
    rtc: Rtc,
    address: SocketAddr,
    connected: bool,
}

impl Peer {
    fn new(address: &str, now: Instant) -> Self {
        let provider = Arc::new(str0m_aws_lc_rs::default_provider());
        let config = RtcConfig::new().set_crypto_provider(provider);
        let mut rtc = config.set_rtp_mode(true).build(now);
        let address = address.parse().expect("an address");
        let candidate = Candidate::host(address, Protocol::Udp).expect("a candidate");
        rtc.add_local_candidate(candidate);
        Self {
            rtc,
            address,
            connected: false,
        }
    }

    fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).expect("an offer");
        let answer = self.rtc.sdp_api().accept_offer(offer);
        answer.expect("it can be answered").to_sdp_string()
    }

    /// Takes what is meant for it; returns what it sends.
    fn exchange(&mut self, scene: &mut Scene) -> Vec<Vec<u8>> {
        let now = scene.now;
        let timeout = self.rtc.handle_input(Input::Timeout(now));
        timeout.expect("it is well");
        let all = std::mem::take(&mut scene.network.datagrams);
        for (source, _, datagram) in all.iter().filter(|it| it.1 == self.address) {
            let read = Receive::new(Protocol::Udp, *source, self.address, datagram);
            let input = Input::Receive(now, read.expect("a datagram"));
            self.rtc.handle_input(input).expect("it is well");
        }
        let mut sent = Vec::new();
        loop {
            match self.rtc.poll_output().expect("it is well") {
                Output::Transmit(transmit) => sent.push(transmit.contents.to_vec()),
                Output::Timeout(at) if at <= now => {
                    let timeout = self.rtc.handle_input(Input::Timeout(now));
                    timeout.expect("it is well");
                }
                Output::Timeout(_) => return sent,
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(_) => {}
            }
        }
    }
}

impl Scene {
    fn offer(&self, viewer: ViewerId) -> String {
        let events = self.heard.events.lock().expect("nobody panicked");
        let offer = events.iter().find_map(|event| match &event.kind {
            ViewerEvent::LocalDescription { sdp, .. } if event.viewer == viewer => Some(sdp),
            _ => None,
        });
        offer.expect("an offer").clone()
    }

    /// A viewer that answers, and names so many addresses of others; returns how many bytes it needed for that.
    fn add_hostile(&mut self, publication: &Arc<Shared>, viewer: ViewerId, names: usize) -> usize {
        self.add(publication, viewer);
        let mut peer = Peer::new("203.0.113.1:5", self.now);
        let answer = peer.answer(&self.offer(viewer));
        let answer = answer
            .lines()
            .filter(|line| !line.starts_with("a=candidate"));
        let answer = answer.map(|line| format!("{line}\r\n")).collect::<String>();
        let mut bytes = answer.len();
        self.ask(
            publication,
            viewer,
            ViewerRequest::AcceptAnswer(answer, Vec::new()),
        );
        for last in 1..=names {
            let text = format!("candidate:{last} 1 UDP {last} 192.0.2.{last} 9 typ host");
            bytes += text.len();
            self.ask(publication, viewer, ViewerRequest::AddCandidate(text));
        }
        bytes
    }

    /// How many datagrams were sent to each address of others, and how many bytes together.
    fn sent_to_others(&self) -> (BTreeMap<SocketAddr, u32>, usize) {
        let (mut counts, mut bytes) = (BTreeMap::new(), 0);
        for (_, destination, datagram) in &self.network.datagrams {
            *counts.entry(*destination).or_default() += 1;
            bytes += datagram.len();
        }
        (counts, bytes)
    }
}

#[test]
fn viewer_that_names_addresses_of_others_has_few_checks_sent_there() {
    for names in [MAX_CANDIDATES, 4 * MAX_CANDIDATES] {
        let mut scene = Scene::new();
        let publication = scene.publication(1, None);
        let signalled = scene.add_hostile(&publication, ONE, names);
        scene.run(SET_UP_TIMEOUT + STEP);
        let (counts, bytes) = scene.sent_to_others();
        assert_eq!(counts.len(), MAX_CANDIDATES);
        // One for each address, and a few more in all the time that the session lasts.
        let all = counts.values().sum::<u32>();
        let later = SET_UP_TIMEOUT.as_secs() / VIEWER_CHECK_INTERVAL.as_secs();
        assert!(all <= VIEWER_CHECKS_AT_ONCE + later as u32, "{all}");
        assert!(bytes < 2 * signalled, "{bytes} for {signalled}");
        let withheld = scene.inbox.counters.checks_withheld.load(Ordering::Relaxed);
        assert!(withheld > 0);
    }
}

#[test]
fn honest_viewer_connects_while_others_use_up_the_checks_of_all() {
    const HOSTILE: u64 = 300;
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    for viewer in 0..HOSTILE {
        scene.add_hostile(&publication, ViewerId(viewer), MAX_CANDIDATES);
    }
    scene.run(Duration::from_secs(1));
    let sent = scene.network.sent.len() as u32;
    let most = HOSTILE as u32 * VIEWER_CHECKS_RESERVED + CHECKS_AT_ONCE + CHECKS_PER_SECOND;
    assert!(sent <= most, "{sent} of {most}");
    assert!(scene.inbox.counters.checks_withheld.load(Ordering::Relaxed) > 0);

    let honest = ViewerId(HOSTILE);
    scene.add(&publication, honest);
    let mut peer = Peer::new("198.51.100.7:6000", scene.now);
    let answer = peer.answer(&scene.offer(honest));
    scene.ask(
        &publication,
        honest,
        ViewerRequest::AcceptAnswer(answer, Vec::new()),
    );
    // Two more of its addresses, which cannot be reached.
    for address in ["10.0.0.7", "10.0.0.8"] {
        let text = format!("candidate:9 1 UDP 2130706431 {address} 9 typ host");
        scene.ask(&publication, honest, ViewerRequest::AddCandidate(text));
    }
    let called = scene.now;
    let ours = SocketAddr::from((Ipv4Addr::LOCALHOST, 5_000));
    while !peer.connected {
        assert!(scene.now - called < Duration::from_secs(1));
        for datagram in peer.exchange(&mut scene) {
            let (now, network) = (scene.now, &mut scene.network);
            scene
                .shard
                .receive(peer.address, ours, &datagram, now, network);
        }
        scene.run(STEP);
    }
}

#[test]
fn viewer_that_comes_from_ever_more_addresses_is_taken_from_a_few() {
    let mut scene = Scene::new();
    let publication = scene.publication(1, None);
    scene.add(&publication, ONE);
    let mut peer = Peer::new("198.51.100.7:6000", scene.now);
    let answer = peer.answer(&scene.offer(ONE));
    let accept = ViewerRequest::AcceptAnswer(answer, Vec::new());
    scene.ask(&publication, ONE, accept);
    let ours = SocketAddr::from((Ipv4Addr::LOCALHOST, 5_000));
    let check = loop {
        assert_eq!(scene.ends(), []);
        let sent = peer.exchange(&mut scene);
        // A request, not the answer to one (RFC 8489, 5).
        if let Some(check) = sent.into_iter().find(|sent| sent.starts_with(&[0, 1])) {
            break check;
        }
        scene.run(STEP);
    };
    let from = |last: u32, scene: &mut Scene| {
        let source = SocketAddr::from((Ipv4Addr::from(0xC633_6400 + last), 7_000));
        let (now, network) = (scene.now, &mut scene.network);
        scene.shard.receive(source, ours, &check, now, network);
        scene.inbox.counters.over_limit.load(Ordering::Relaxed)
    };
    for last in 0..VIEWER_ADDRESSES_AT_ONCE {
        assert_eq!(from(last, &mut scene), 0, "{last}");
    }
    for last in 0..5 {
        assert_eq!(from(100 + last, &mut scene), u64::from(last) + 1);
    }
    // An address that is known costs nothing, and one more has room later.
    assert_eq!(from(0, &mut scene), 5);
    scene.now += VIEWER_ADDRESS_INTERVAL;
    assert_eq!(from(200, &mut scene), 5);
    assert_eq!(from(201, &mut scene), 6);
}
