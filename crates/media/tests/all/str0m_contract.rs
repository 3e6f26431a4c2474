//! What a connection in any role will rely on in str0m, with our DTLS: media by its direct API, the session level (credentials
//! of ICE, fingerprint, role, SCTP) by an offer of a data section alone that we write, whichever end really offered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;
use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, IceCreds, Input, Output, Rtc, RtcConfig};

const AUDIO: &str = "audio1";
const VIDEO: &str = "video0";
const SSRC: u32 = 111;
const RTX_SSRC: u32 = 112;
const FRAME: Duration = Duration::from_millis(33);
/// The longest message that the data section allows.
const MAX_MESSAGE: usize = 262_144;

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

/// One end of a connection, and what it reported.
struct Peer {
    rtc: Rtc,
    deadline: Instant,
    states: Vec<IceConnectionState>,
    is_connected: bool,
    channel: Option<ChannelId>,
    /// Bytes that came through channels.
    data: usize,
    /// The mid, SSRC and payload type of each packet that came.
    packets: Vec<(Option<String>, u32, u8)>,
}

/// Two peers and a clock of their own.
struct Pair {
    sender: Peer,
    receiver: Peer,
    now: Instant,
    next_packet: u64,
}

impl Peer {
    fn new(address: &str, now: Instant) -> Self {
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .set_crypto_provider(Arc::new(wigwag_media::crypto_provider()))
            .set_sctp_max_buffered_amount(1 << 20)
            .enable_bwe(Some(Bitrate::kbps(500)))
            .build(now);
        rtc.add_local_candidate(host(address));
        let mut direct = rtc.direct_api();
        direct.declare_media(Mid::from(AUDIO), MediaKind::Audio);
        direct.declare_media(Mid::from(VIDEO), MediaKind::Video);
        Self {
            rtc,
            deadline: now,
            states: Vec::new(),
            is_connected: false,
            channel: None,
            data: 0,
            packets: Vec::new(),
        }
    }

    fn drain(&mut self, into: &mut VecDeque<Datagram>) {
        loop {
            match self.rtc.poll_output().expect("str0m goes on") {
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    let contents = transmit.contents.to_vec();
                    into.push_back((transmit.source, transmit.destination, contents));
                }
                Output::Event(event) => self.take(event),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connected => self.is_connected = true,
            Event::IceConnectionStateChange(state) => self.states.push(state),
            Event::ChannelOpen(channel, _) => self.channel = Some(channel),
            Event::ChannelData(data) => self.data += data.data.len(),
            Event::RtpPacket(packet) => {
                let header = &packet.header;
                let mid = header.ext_vals.mid.map(|mid| mid.to_string());
                self.packets.push((mid, *header.ssrc, *header.payload_type));
            }
            _ => {}
        }
    }

    /// Takes the session level of the other end; it is passive if this one is active.
    fn accept(&mut self, credentials: &IceCreds, fingerprint: &str, setup: &str) {
        let offer = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE d\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n\
             a=mid:d\r\na=sctp-port:5000\r\na=max-message-size:{MAX_MESSAGE}\r\n",
            credentials.ufrag, credentials.pass
        );
        let offer = SdpOffer::from_sdp_string(&offer).expect("an offer");
        self.rtc.sdp_api().accept_offer(offer).expect("taken");
    }
}

impl Pair {
    fn connected() -> Self {
        let now = Instant::now();
        let mut pair = Self {
            sender: Peer::new("192.0.2.1:1000", now),
            receiver: Peer::new("192.0.2.2:2000", now),
            now,
            next_packet: 0,
        };
        let [sender, receiver] = [&mut pair.sender, &mut pair.receiver].map(|peer| {
            let direct = peer.rtc.direct_api();
            let fingerprint = direct.local_dtls_fingerprint().to_string();
            (direct.local_ice_credentials(), fingerprint)
        });
        // Before it accepts: then it makes no sender of its own for the section, which would be in the way of this one.
        let mut direct = pair.sender.rtc.direct_api();
        let rtx = Some(Ssrc::from(RTX_SSRC));
        direct.declare_stream_tx(Ssrc::from(SSRC), rtx, Mid::from(VIDEO), None);
        pair.sender.accept(&receiver.0, &receiver.1, "passive");
        pair.receiver.accept(&sender.0, &sender.1, "active");
        let mut direct = pair.sender.rtc.direct_api();
        direct.set_ice_controlling(true);
        pair.receiver.rtc.direct_api().set_ice_controlling(false);
        pair.sender
            .rtc
            .direct_api()
            .create_data_channel(ChannelConfig {
                label: "control".to_owned(),
                ..ChannelConfig::default()
            });
        pair.exchange_candidates();
        pair.run(Duration::from_secs(3));
        assert!(pair.sender.is_connected && pair.receiver.is_connected);
        pair
    }

    fn exchange_candidates(&mut self) {
        self.sender.rtc.add_remote_candidate(host("192.0.2.2:2000"));
        self.receiver
            .rtc
            .add_remote_candidate(host("192.0.2.1:1000"));
    }

    /// Lets so much time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        let mut on_way = VecDeque::new();
        loop {
            self.sender.drain(&mut on_way);
            self.receiver.drain(&mut on_way);
            if let Some((source, destination, contents)) = on_way.pop_front() {
                let peer = match destination.port() {
                    1000 => &mut self.sender,
                    _ => &mut self.receiver,
                };
                let received = Receive::new(Protocol::Udp, source, destination, &contents);
                if let Ok(received) = received {
                    let input = Input::Receive(self.now, received);
                    peer.rtc.handle_input(input).expect("str0m goes on");
                }
                continue;
            }
            if self.now >= end {
                return;
            }
            let next = self.sender.deadline.min(self.receiver.deadline).min(end);
            self.now = next.max(self.now + Duration::from_millis(1));
            for peer in [&mut self.sender, &mut self.receiver] {
                let input = Input::Timeout(self.now);
                peer.rtc.handle_input(input).expect("str0m goes on");
            }
        }
    }

    /// Sends packets, one each frame, and returns how many arrive.
    fn send(&mut self, packets: u64, payload_type: Pt) -> usize {
        let before = self.receiver.packets.len();
        for _ in 0..packets {
            let number = self.next_packet;
            self.next_packet += 1;
            let time = u32::try_from(3_000 * number).expect("not that many");
            let packet =
                RtpWrite::new(payload_type, number.into(), time, self.now, vec![1_u8; 500])
                    .marker(true)
                    .nackable(true);
            let mut direct = self.sender.rtc.direct_api();
            let stream = direct.stream_tx(&Ssrc::from(SSRC)).expect("it is declared");
            stream.write_rtp(packet);
            self.run(FRAME);
        }
        self.receiver.packets.len() - before
    }

    /// A payload type that may be sent again.
    fn payload_type(&self) -> Pt {
        let params = self.receiver.rtc.codec_config().params();
        let video = params.iter().find(|params| params.resend().is_some());
        video.expect("a video codec").pt()
    }
}

fn host(address: &str) -> Candidate {
    let address: SocketAddr = address.parse().expect("an address");
    Candidate::host(address, "udp").expect("a candidate")
}

#[test]
fn media_of_the_direct_api_has_our_mid_and_ssrc() {
    let mut pair = Pair::connected();
    let payload_type = pair.payload_type();
    assert_eq!(pair.send(20, payload_type), 20);
    let sent = (Some(VIDEO.to_owned()), SSRC, *payload_type);
    assert_eq!(pair.receiver.packets.first(), Some(&sent));
}

#[test]
fn payload_type_that_was_not_known_at_the_start_is_dropped() {
    let mut pair = Pair::connected();
    assert_eq!(pair.send(5, Pt::from(77)), 0);
}

#[test]
fn message_as_long_as_the_data_section_allows_arrives_and_a_longer_one_is_refused() {
    let mut pair = Pair::connected();
    let channel = pair.sender.channel.expect("it is open");
    let write = |pair: &mut Pair, length: usize| {
        let mut channel = pair.sender.rtc.channel(channel).expect("it is open");
        let written = channel.write(true, &vec![7; length]);
        let before = pair.receiver.data;
        pair.run(Duration::from_secs(2));
        (
            written.is_ok_and(|taken| taken),
            pair.receiver.data - before,
        )
    };
    assert_eq!(write(&mut pair, MAX_MESSAGE), (true, MAX_MESSAGE));
    assert_eq!(write(&mut pair, MAX_MESSAGE + 1), (false, 0));
}

#[test]
fn ice_restart_with_credentials_of_ours_keeps_media() {
    let mut pair = Pair::connected();
    let payload_type = pair.payload_type();
    let fingerprints = [&mut pair.sender, &mut pair.receiver]
        .map(|peer| peer.rtc.direct_api().local_dtls_fingerprint().to_string());
    let credentials = ["sender", "receiver"].map(|name| IceCreds {
        ufrag: name.to_owned(),
        pass: name.repeat(4),
    });
    pair.sender
        .accept(&credentials[1], &fingerprints[1], "passive");
    pair.receiver
        .accept(&credentials[0], &fingerprints[0], "active");
    let [of_sender, of_receiver] = credentials;
    pair.sender
        .rtc
        .direct_api()
        .set_local_ice_credentials(of_sender);
    pair.receiver
        .rtc
        .direct_api()
        .set_local_ice_credentials(of_receiver);
    assert_eq!(pair.send(10, payload_type), 10, "before the new candidates");
    pair.sender.states.clear();
    pair.exchange_candidates();
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.send(10, payload_type), 10, "afterwards");
    let is_up = |state: &IceConnectionState| {
        matches!(
            state,
            IceConnectionState::Connected | IceConnectionState::Completed
        )
    };
    assert!(
        pair.sender.states.iter().any(is_up),
        "{:?}",
        pair.sender.states
    );
}

#[test]
fn stray_senders_of_receive_only_sections_can_be_removed() {
    let mut pair = Pair::connected();
    let mut direct = pair.receiver.rtc.direct_api();
    let stray = direct.stream_tx_by_mid(Mid::from(VIDEO), None);
    let stray = stray.map(|stream| stream.ssrc());
    if let Some(ssrc) = stray {
        direct.remove_stream_tx(ssrc);
    }
    assert!(direct.stream_tx_by_mid(Mid::from(VIDEO), None).is_none());
    let payload_type = pair.payload_type();
    assert_eq!(pair.send(5, payload_type), 5);
}
