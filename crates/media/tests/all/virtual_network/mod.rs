//! A session of ours and a plain str0m viewer, with a network and a clock that exist only here.

mod link;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use link::Link;
use str0m::bwe::BweKind;
use str0m::change::SdpOffer;
use str0m::media::{KeyframeRequestKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use wigwag_media::frame::Frame;
use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, OfferExtent, Session, SessionConfig, SessionEvent,
    StreamConfig,
};

pub const SENDER: &str = "192.0.2.1:5000";
pub const VIEWER: &str = "192.0.2.2:6000";

/// In each direction.
const DELAY: Duration = Duration::from_millis(20);

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// One codec a stream, with the number 0.
pub fn config(streams: &[(StreamId, Codec)], start_bitrate: Option<u64>) -> SessionConfig {
    let streams = streams.iter().map(|(id, codec)| StreamConfig {
        id: *id,
        codecs: vec![CodecConfig {
            number: 0,
            alternate_number: None,
            codec: *codec,
            colour_space: None,
        }],
        playout_delay: None,
        passed_through: None,
    });
    SessionConfig {
        certificate: Certificate::generate().expect("a certificate"),
        name: "wigwag".to_owned(),
        streams: streams.collect(),
        start_bitrate,
        max_wait: Duration::from_millis(500),
        retransmission: true,
        extent: OfferExtent::Full,
        receive: None,
    }
}

/// A frame of so many packets of 1,000 bytes.
pub fn frame(
    stream: StreamId,
    rtp_time: u32,
    wall_clock: Instant,
    key: bool,
    packets: usize,
) -> Arc<Frame> {
    Arc::new(Frame {
        rendition: RenditionId {
            stream,
            codec: 0,
            level: 0,
        },
        rtp_time,
        wall_clock,
        key,
        temporal_layer: 0,
        packets: vec![vec![if key { 1 } else { 2 }; 1_000].into(); packets],
    })
}

/// The source of an RTP packet (RFC 3550 §5.1); none for anything else (RFC 7983 §7, RFC 5761 §4).
fn source(datagram: &[u8]) -> Option<u32> {
    let is_rtp = (128..192).contains(datagram.first()?) && !(192..224).contains(datagram.get(1)?);
    let source = datagram.get(8..12).filter(|_| is_rtp)?;
    Some(u32::from_be_bytes(source.try_into().ok()?))
}

/// The viewer: str0m with DTLS of its own, which shares no code with ours.
pub struct Viewer {
    pub rtc: Rtc,
    pub packets: Vec<RtpPacket>,
    pub connected: bool,
    pub closed: bool,
    pub key_frames_requested: usize,
    /// What the session says that it can take, in bit/s.
    pub remb: Option<u64>,
    pub started: Instant,
    deadline: Instant,
}

pub struct Network {
    pub now: Instant,
    pub session: Session,
    pub viewer: Viewer,
    pub events: Vec<SessionEvent>,
    /// While false, nothing that the viewer sends arrives.
    pub viewer_is_heard: bool,
    /// Where the viewer is to the session; what is sent elsewhere is lost. The viewer knows nothing of it, as
    /// behind a NAT.
    pub seen_at: SocketAddr,
    /// Whether the session may send elsewhere; it is lost.
    pub forget_elsewhere: bool,
    /// What the viewer sent, if it is to be kept.
    pub overheard: Option<Vec<Vec<u8>>>,
    /// What media goes through, once the session is connected: str0m behind DTLS looks at the
    /// system's clock, so that nothing may be lost before.
    pub link: Link,
    delay: Duration,
    to_viewer: VecDeque<(Instant, Vec<u8>)>,
    to_session: VecDeque<(Instant, Vec<u8>)>,
}

impl Viewer {
    pub fn new(configure: impl FnOnce(RtcConfig) -> RtcConfig, now: Instant) -> Self {
        let provider = Arc::new(str0m_aws_lc_rs::default_provider());
        let config = RtcConfig::new()
            .set_crypto_provider(provider)
            .set_rtp_mode(true);
        let mut rtc = configure(config).build(now);
        let candidate = Candidate::host(address(VIEWER), Protocol::Udp).expect("a candidate");
        rtc.add_local_candidate(candidate);
        Self {
            rtc,
            packets: Vec::new(),
            connected: false,
            closed: false,
            key_frames_requested: 0,
            remb: None,
            started: now,
            deadline: now,
        }
    }

    pub fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).expect("an offer");
        let answer = self.rtc.sdp_api().accept_offer(offer);
        answer
            .expect("an offer that can be answered")
            .to_sdp_string()
    }

    pub fn ask_for_key_frame(&mut self, mid: Mid) {
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx_by_mid(mid, None).expect("it receives");
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }

    fn drain(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.rtc.poll_output().expect("the viewer is well") {
                Output::Transmit(transmit) => sent.push(transmit.contents.to_vec()),
                Output::Timeout(at) if at <= now => {
                    let due = Input::Timeout(now);
                    self.rtc.handle_input(due).expect("the viewer is well");
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return sent;
                }
                Output::Event(Event::RtpPacket(packet)) => self.packets.push(packet),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::KeyframeRequest(_)) => self.key_frames_requested += 1,
                Output::Event(Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. })) => {
                    self.remb = Some(estimate.as_u64());
                }
                Output::Event(_) => {}
            }
        }
    }
}

impl Network {
    /// A session and its viewer that have each other's descriptions, or will have.
    pub fn new(session: Session, viewer: Viewer, now: Instant) -> Self {
        Self {
            now,
            session,
            viewer,
            events: Vec::new(),
            viewer_is_heard: true,
            seen_at: address(VIEWER),
            forget_elsewhere: false,
            overheard: None,
            link: Link::unlimited(),
            delay: DELAY,
            to_viewer: VecDeque::new(),
            to_session: VecDeque::new(),
        }
    }

    /// A session and its viewer after offer and answer, not connected yet.
    pub fn negotiated(config: &SessionConfig, viewer: Viewer, now: Instant) -> Self {
        let (session, offer) =
            Session::offer(config, &[address(SENDER)], now).expect("an offer is made");
        let mut network = Self::new(session, viewer, now);
        let answer = network.viewer.answer(&offer);
        network.session.handle_answer(&answer, &[], now);
        network
    }

    /// The same, and connected.
    pub fn connected(config: &SessionConfig, viewer: Viewer) -> Self {
        let mut network = Self::negotiated(config, viewer, Instant::now());
        network.run(Duration::from_secs(3));
        assert!(network.events.contains(&SessionEvent::Connected));
        assert!(network.viewer.connected);
        network
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.exchange();
            let next = self
                .session
                .poll_timeout()
                .into_iter()
                .chain(self.to_viewer.front().map(|(at, _)| *at))
                .chain(self.to_session.front().map(|(at, _)| *at))
                .chain([self.viewer.deadline, end])
                .min();
            // At least a little, so that the simulation comes to an end whatever the deadlines say.
            let step = self.now + Duration::from_micros(100);
            self.now = next.unwrap_or(end).max(step).min(end);
            self.deliver();
            if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
                self.session.handle_timeout(self.now);
            }
            let due = Input::Timeout(self.now);
            self.viewer
                .rtc
                .handle_input(due)
                .expect("the viewer is well");
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        while let Some(transmit) = self.session.poll_transmit() {
            if transmit.destination != self.seen_at {
                assert!(self.forget_elsewhere, "to {}", transmit.destination);
                continue;
            }
            assert!(transmit.contents.len() <= 1_200, "fits any path");
            assert_ne!(source(&transmit.contents), Some(0), "a probe of no stream");
            let datagram = transmit.contents.to_vec();
            let passed = match self.viewer.connected {
                true => self.link.pass(datagram.len(), self.now),
                false => Some(self.now),
            };
            if let Some(passed) = passed {
                self.to_viewer.push_back((passed + self.delay, datagram));
            }
        }
        for datagram in self.viewer.drain(self.now) {
            self.send_to_session(datagram);
        }
        while let Some(event) = self.session.poll_event() {
            self.events.push(event);
        }
    }

    /// Moves the viewer.
    pub fn move_to(&mut self, place: &str) {
        self.forget_elsewhere = true;
        self.seen_at = address(place);
    }

    fn send_to_session(&mut self, datagram: Vec<u8>) {
        if let Some(overheard) = &mut self.overheard {
            overheard.push(datagram.clone());
        }
        if self.viewer_is_heard {
            self.to_session.push_back((self.now + self.delay, datagram));
        }
    }

    fn deliver(&mut self) {
        let (sender, viewer) = (address(SENDER), address(VIEWER));
        let seen_at = self.seen_at;
        while let Some((at, _)) = self.to_viewer.front()
            && *at <= self.now
        {
            let (_, datagram) = self.to_viewer.pop_front().expect("looked at");
            let receive = Receive::new(Protocol::Udp, sender, viewer, &datagram);
            let input = Input::Receive(self.now, receive.expect("a datagram"));
            let taken = self.viewer.rtc.handle_input(input);
            taken.expect("the viewer is well");
            for sent in self.viewer.drain(self.now) {
                self.send_to_session(sent);
            }
        }
        while let Some((at, _)) = self.to_session.front()
            && *at <= self.now
        {
            let (_, datagram) = self.to_session.pop_front().expect("looked at");
            self.session
                .handle_datagram(seen_at, sender, &datagram, self.now);
        }
    }
}
