//! A producer for tests: VP8 and Opus by RTP from pipelines on this machine, to any number of viewers of
//! the JSON protocol, by `wigwag-media` sessions. Arguments: the signalling address, and the RTP ports of
//! video and audio. It writes one JSON event a line, and ends when its standard input does.
//!
//! It polls, on one thread, which is fit for a test and nothing else.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};
use wigwag_media::demand::{RenditionId, StreamId};
use wigwag_media::frame::{Frame, FrameAssembler, PayloadedPacket};
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, Session, SessionConfig, SessionEvent, StreamConfig,
};
use wigwag_protocol::json::{
    ClientMessage, Meta, PeerMessage, PeerMessageBody, PeerStatus, Role, ServerMessage,
    SessionDescription, SessionId,
};

const VIDEO: StreamId = StreamId(0);
const AUDIO: StreamId = StreamId(1);

struct Producer {
    signalling: WebSocket<TcpStream>,
    socket: UdpSocket,
    address: SocketAddr,
    config: SessionConfig,
    sessions: BTreeMap<SessionId, Session>,
}

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let uri = arguments.next().context("the signalling address")?;
    let mut inputs = Vec::new();
    for stream in [VIDEO, AUDIO] {
        let port: u16 = arguments.next().context("an RTP port")?.parse()?;
        inputs.push(Input::bind(stream, port)?);
    }
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let mut producer = Producer::new(&uri)?;
    loop {
        for input in &mut inputs {
            while let Some(frame) = input.next_frame()? {
                let frame = Arc::new(frame);
                for session in producer.sessions.values_mut() {
                    session.send_frame(&frame, Instant::now());
                }
            }
        }
        producer.step()?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Where the packets of one stream come from.
struct Input {
    stream: StreamId,
    socket: UdpSocket,
    assembler: FrameAssembler,
}

impl Input {
    fn bind(stream: StreamId, port: u16) -> Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", port))?;
        socket.set_nonblocking(true)?;
        let rendition = RenditionId {
            stream,
            codec: 0,
            level: 0,
        };
        Ok(Self {
            stream,
            socket,
            assembler: FrameAssembler::new(rendition),
        })
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let mut buffer = [0; 2048];
        while let Some(length) = received(self.socket.recv(&mut buffer))? {
            let packet = read_rtp(&buffer[..length], self.stream);
            if let Some(frame) = packet.and_then(|packet| self.assembler.push(packet)) {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}

impl Producer {
    fn new(uri: &str) -> Result<Self> {
        let (_, rest) = uri.split_once("://").context("an address")?;
        let stream = TcpStream::connect(rest.trim_end_matches('/'))?;
        let (mut signalling, _) = tungstenite::client(uri, stream)?;
        let status = ClientMessage::SetPeerStatus(PeerStatus {
            roles: [Role::Producer].into(),
            meta: Meta::try_from(&json!({"name": "rtp producer"})).ok(),
            peer_id: None,
        });
        signalling.send(Message::text(status.to_json()))?;
        signalling.get_mut().set_nonblocking(true)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            signalling,
            address: socket.local_addr()?,
            socket,
            config: SessionConfig {
                certificate: Certificate::generate().context("a certificate")?,
                name: "wigwag".to_owned(),
                streams: vec![
                    StreamConfig {
                        id: VIDEO,
                        codecs: vec![CodecConfig {
                            number: 0,
                            codec: Codec::Vp8,
                        }],
                    },
                    StreamConfig {
                        id: AUDIO,
                        codecs: vec![CodecConfig {
                            number: 0,
                            codec: Codec::Opus,
                        }],
                    },
                ],
                start_bitrate: Some(2_000_000),
                max_wait: Duration::from_millis(500),
                retransmission: true,
            },
            sessions: BTreeMap::new(),
        })
    }

    /// Does all that can be done without waiting.
    fn step(&mut self) -> Result<()> {
        loop {
            match self.signalling.read() {
                Ok(Message::Text(text)) => self.on_message(ServerMessage::from_json(&text)?)?,
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut buffer = [0; 2048];
        while let Some((length, source)) = received(self.socket.recv_from(&mut buffer))? {
            for session in self.sessions.values_mut() {
                session.receive(source, self.address, &buffer[..length], Instant::now());
            }
        }
        let mut ended = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.deadline().is_some_and(|at| at <= Instant::now()) {
                session.wake(Instant::now());
            }
            while let Some(transmit) = session.poll_transmit() {
                // What the socket does not take is lost, as on any network.
                let _ = self
                    .socket
                    .send_to(&transmit.contents, transmit.destination);
            }
            while let Some(event) = session.poll_event() {
                match event {
                    SessionEvent::Connected => report(&json!({"event": "connected"})),
                    SessionEvent::Ended(reason) => {
                        report(&json!({"event": "ended", "reason": reason.to_string()}));
                        ended.push(id.clone());
                    }
                    // The pipeline makes a key frame every second, at a fixed rate.
                    _ => {}
                }
            }
        }
        for id in ended {
            self.sessions.remove(&id);
            self.say(&ClientMessage::EndSession { session_id: id })?;
        }
        Ok(())
    }

    fn on_message(&mut self, message: ServerMessage) -> Result<()> {
        let now = Instant::now();
        match message {
            ServerMessage::Welcome { peer_id } => {
                report(&json!({"event": "registered", "peer": peer_id}));
            }
            ServerMessage::StartSession {
                session_id, offer, ..
            } => {
                let addresses = [self.address];
                let (session, description) = match offer {
                    Some(offer) => {
                        let made = Session::answer(&self.config, &offer, &[], &addresses, now);
                        let (session, sdp) = made?;
                        (session, SessionDescription::Answer { sdp })
                    }
                    None => {
                        let (session, sdp) = Session::offer(&self.config, &addresses, now)?;
                        (session, SessionDescription::Offer { sdp })
                    }
                };
                self.sessions.insert(session_id.clone(), session);
                let body = PeerMessageBody::Sdp(description);
                self.say(&ClientMessage::Peer(PeerMessage { session_id, body }))?;
            }
            ServerMessage::Peer(PeerMessage { session_id, body }) => {
                let Some(session) = self.sessions.get_mut(&session_id) else {
                    return Ok(());
                };
                match body {
                    PeerMessageBody::Sdp(SessionDescription::Answer { sdp }) => {
                        session.accept_answer(&sdp, &[], now);
                    }
                    PeerMessageBody::Ice { candidate, .. } => {
                        session.add_remote_candidate(&candidate, now);
                    }
                    PeerMessageBody::Sdp(_) => {}
                }
            }
            ServerMessage::EndSession { session_id } => {
                if let Some(session) = self.sessions.get_mut(&session_id) {
                    session.close(now);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn say(&mut self, message: &ClientMessage) -> Result<()> {
        Ok(self.signalling.send(Message::text(message.to_json()))?)
    }
}

/// A packet without extensions or picture id (RFC 3550, RFC 7741, RFC 7587), as `rtpvp8pay` and
/// `rtpopuspay` make it. Each Opus packet is a frame of its own that needs no other.
fn read_rtp(packet: &[u8], stream: StreamId) -> Option<PayloadedPacket> {
    let (header, payload) = packet.split_at_checked(12)?;
    let time = header[4..8].try_into().ok()?;
    let begins_frame = payload.first()? & 0x10 != 0;
    let begins_key_frame = begins_frame && payload.get(1)? & 0x01 == 0;
    let audio = stream == AUDIO;
    Some(PayloadedPacket {
        payload: payload.into(),
        rtp_time: u32::from_be_bytes(time),
        wall_clock: Instant::now(),
        marker: audio || header[1] & 0x80 != 0,
        key: audio || begins_key_frame,
        temporal_layer: 0,
    })
}

fn report(event: &Value) {
    println!("{event}");
}

fn received<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
