//! Sends so many streams of 2 Mbit/s to one peer, or receives what one peer sends: what `cargo xtask bench receive`
//! measures.
//!
//! `streams send NUMBER` writes its offer (SDP), and reads the answer and candidates; `streams receive` reads an offer and
//! writes its answer. A description ends with an empty line, a candidate is a line. The receiver then writes once a second how
//! many packets came, as `{"event":"packets","count":NUMBER}`. Both end when their standard input does.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use wigwag_media::engine::{
    Engine, EngineConfig, Negotiation, Publication, PublicationConfig, PublicationEvent,
    Subscription, SubscriptionEvent, ViewerEvent,
};
use wigwag_media::frame::Frame;
use wigwag_media::ids::{RenditionId, StreamId, ViewerId};
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, OfferExtent, ReceiveConfig, SessionConfig, StreamConfig,
};

const PEER: ViewerId = ViewerId(0);
/// From one frame of a stream to its next: 30 a second.
const FRAME: Duration = Duration::from_micros(33_333);
/// With eight packets of this size but for the last, a stream has 2 Mbit/s.
const PACKETS: usize = 8;
const PACKET: usize = 1_000;
const LAST_PACKET: usize = 300;
/// From one key frame to the next.
const KEY_FRAMES: u32 = 30;
/// Where congestion control begins, for each stream: above what is sent.
const START_BITRATE: u64 = 4_000_000;
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(30);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["send", number] => send(number.parse().expect("a number of streams")),
        ["receive"] => receive(),
        _ => panic!("streams send NUMBER, or streams receive"),
    }
}

fn send(number: u32) {
    let engine = engine();
    let (sender, events) = channel();
    let publication = engine.publish(PublicationConfig::default(), move |event| {
        let _ = sender.send(event);
        Ok(())
    });
    publication.add_viewer(PEER, Arc::new(sending(number)), Negotiation::Offer);
    write_description(&offer(&events));
    let publication = Arc::new(publication);
    let from_peer = Arc::clone(&publication);
    std::thread::spawn(move || {
        while let Some(message) = read() {
            match message {
                Message::Description(answer) => {
                    from_peer.accept_answer(PEER, answer, Vec::new());
                }
                Message::Candidate(candidate) => from_peer.add_candidate(PEER, candidate),
            }
        }
        std::process::exit(0);
    });
    wait_connected(&events);
    play(&publication, number);
}

fn receive() {
    let engine = engine();
    let Some(Message::Description(offer)) = read() else {
        panic!("no offer came");
    };
    let (sender, events) = channel();
    let subscription = engine.subscribe(
        PublicationConfig::default(),
        Arc::new(receiving()),
        Negotiation::Answer {
            offer,
            preferred: Vec::new(),
        },
        move |event| {
            let _ = sender.send(event);
            Ok(())
        },
    );
    write_description(&answer(&events));
    std::thread::spawn(|| {
        while read().is_some() {}
        std::process::exit(0);
    });
    count(&subscription);
}

/// Sends frames for ever, those of different streams not all at once.
fn play(publication: &Publication, streams: u32) {
    let start = Instant::now();
    for number in 0.. {
        let (frame_number, stream) = (number / streams, number % streams);
        let due = start + FRAME * number / streams;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publication.send_frame(frame(StreamId(stream), frame_number));
    }
}

/// Takes packets for ever, and says how many came.
fn count(subscription: &Subscription) {
    let mut count = 0;
    let mut report_at = Instant::now() + REPORT_INTERVAL;
    loop {
        let now = Instant::now();
        if now >= report_at {
            println!("{{\"event\":\"packets\",\"count\":{count}}}");
            report_at += REPORT_INTERVAL;
        }
        let wait = report_at.saturating_duration_since(now);
        count += u64::from(subscription.next_packet(wait).is_some());
    }
}

fn offer(events: &Receiver<PublicationEvent>) -> String {
    loop {
        let event = events.recv_timeout(DEADLINE).expect("an offer");
        if let ViewerEvent::LocalDescription { sdp, .. } = event.kind {
            return sdp;
        }
    }
}

fn answer(events: &Receiver<SubscriptionEvent>) -> String {
    loop {
        match events.recv_timeout(DEADLINE).expect("an answer") {
            SubscriptionEvent::LocalDescription { sdp, .. } => return sdp,
            SubscriptionEvent::Ended(reason) => panic!("{reason}"),
            _ => {}
        }
    }
}

fn wait_connected(events: &Receiver<PublicationEvent>) {
    loop {
        match events.recv_timeout(DEADLINE).expect("a connection").kind {
            ViewerEvent::Connected => return,
            ViewerEvent::Ended(reason) => panic!("{reason}"),
            _ => {}
        }
    }
}

fn engine() -> Engine {
    let config = EngineConfig {
        shards: NonZeroUsize::MIN,
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        ..EngineConfig::default()
    };
    Engine::start(config).expect("an engine")
}

fn sending(streams: u32) -> SessionConfig {
    let stream = |number| StreamConfig {
        id: StreamId(number),
        codecs: vec![CodecConfig {
            number: 0,
            alternate_number: None,
            codec: Codec::Vp8,
            colour_space: None,
        }],
        playout_delay: None,
        passed_through: None,
    };
    SessionConfig {
        streams: (0..streams).map(stream).collect(),
        start_bitrate: Some(START_BITRATE * u64::from(streams)),
        ..receiving_nothing()
    }
}

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8],
            offered: Vec::new(),
        }),
        ..receiving_nothing()
    }
}

fn receiving_nothing() -> SessionConfig {
    SessionConfig {
        certificate: Certificate::generate().expect("a certificate"),
        name: "streams".to_owned(),
        streams: Vec::new(),
        start_bitrate: None,
        max_wait: Duration::from_secs(1),
        retransmission: true,
        extent: OfferExtent::Full,
        receive: None,
    }
}

/// What looks like VP8 (RFC 7741, section 4).
fn frame(stream: StreamId, number: u32) -> Arc<Frame> {
    let key = number.is_multiple_of(KEY_FRAMES);
    let packets = (0..PACKETS).map(|packet| {
        let is_last = packet == PACKETS - 1;
        let mut payload = vec![number as u8; if is_last { LAST_PACKET } else { PACKET }];
        payload[0] = if packet == 0 { 0x10 } else { 0 };
        payload[1] = u8::from(!key);
        payload.into()
    });
    Arc::new(Frame {
        rendition: RenditionId {
            stream,
            codec: 0,
            level: 0,
        },
        rtp_time: number.wrapping_mul(3_000),
        wall_clock: Instant::now(),
        key,
        temporal_layer: 0,
        packets: packets.collect(),
    })
}

enum Message {
    Description(String),
    Candidate(String),
}

/// The next message of the other end; none at the end of the input.
fn read() -> Option<Message> {
    let mut description = String::new();
    for line in io::stdin().lock().lines() {
        let line = line.ok()?;
        let line = line.trim_end();
        if line.starts_with("candidate:") {
            return Some(Message::Candidate(line.to_owned()));
        }
        if line.is_empty() {
            return Some(Message::Description(description));
        }
        description += line;
        description += "\r\n";
    }
    None
}

fn write_description(description: &str) {
    println!("{}\n", description.trim_end());
}
