//! Others than viewers that send us something: strangers, and STUN servers.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stun_types::attribute::{Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageWriteVec, ShortTermCredentials,
};
use stun_types::prelude::*;
use wigwag_media::engine::{PublicationConfig, ViewerEvent};
use wigwag_media::ids::ViewerId;

use crate::engine_stage::{Stage, engine, localhost};

const ONE: ViewerId = ViewerId(0);

fn stage() -> Stage {
    Stage::new(engine(1, &[localhost()]))
}

#[test]
fn junk_from_strangers_does_not_disturb() {
    let mut stage = stage();
    stage.join(1);
    let to = stage.candidate(ONE);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let before = stage.engine.statistics().datagrams_unknown;
    let mut sent = 0;
    for first in 0..=255u8 {
        for length in [1, 2, 12, 20, 28, 100, 1_200] {
            let mut junk = vec![first; length];
            if first % 2 == 0 {
                // Nearly a connectivity check.
                junk[..length.min(2)].copy_from_slice(&[0, 1][..length.min(2)]);
                if length >= 8 {
                    junk[2..4].copy_from_slice(&((length - 20.min(length)) as u16).to_be_bytes());
                    junk[4..8].copy_from_slice(&0x2112_A442u32.to_be_bytes());
                }
            }
            stranger.send_to(&junk, to).expect("it is sent");
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    stage.play(60);
    stage.wait_frames(&[0], 60);
    stage.wait("junk is counted", |stage| {
        stage.engine.statistics().datagrams_unknown > before + sent / 2
    });
    assert_eq!(stage.end(ONE), None);
}

#[test]
fn a_stranger_that_knows_the_name_of_a_session_cannot_take_it_over() {
    let mut stage = stage();
    stage.join(1);
    let to = stage.candidate(ONE);
    let ufrag = stage
        .offer(ONE)
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .expect("a name")
        .to_owned();
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let before = stage.engine.statistics().datagrams_unknown;
    for number in 0..50 {
        let user = Username::new(&format!("{ufrag}:stranger")).expect("short enough");
        let mut check = Message::builder_request(BINDING, MessageWriteVec::new());
        check.add_attribute(&user).expect("it has room");
        let password = ShortTermCredentials::new("a guess".to_owned());
        check
            .add_message_integrity(&password.into(), IntegrityAlgorithm::Sha1)
            .expect("it has room");
        let check = check.finish();
        stranger.send_to(&check, to).expect("it is sent");
        if number % 2 == 0 {
            let junk = [0x80 + number; 100];
            stranger.send_to(&junk, to).expect("it is sent");
        }
    }
    stage.wait("all are refused", |stage| {
        stage.engine.statistics().datagrams_unknown >= before + 75
    });
    stage.play(60);
    stage.wait_frames(&[0], 60);
    stranger.set_nonblocking(true).expect("it can");
    let got = stranger.recv_from(&mut [0; 2_000]);
    assert!(got.is_err(), "the stranger gets nothing");
}

/// A STUN server that sees all requests come from one address.
fn stun_server(mapped: &'static str) -> (String, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let name = socket.local_addr().expect("an address").to_string();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    std::thread::spawn(move || {
        let mut buffer = [0; 1_500];
        while let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let request = Message::from_bytes(&buffer[..length]).expect("a request");
            assert!(request.has_method(BINDING));
            counted.fetch_add(1, Ordering::Relaxed);
            let mapped = mapped.parse().expect("an address");
            let mapped = XorMappedAddress::new(mapped, request.transaction_id());
            let mut answer = Message::builder_success(&request, MessageWriteVec::new());
            answer.add_attribute(&mapped).expect("it has room");
            let sent = socket.send_to(&answer.finish(), source);
            sent.expect("it is sent");
        }
    });
    (name, requests)
}

fn reflexive(stage: &Stage, viewer: ViewerId) -> Option<String> {
    stage
        .reported
        .get(&viewer)?
        .iter()
        .find_map(|event| match event {
            ViewerEvent::LocalCandidate { candidate, .. } => Some(candidate.clone()),
            _ => None,
        })
}

#[test]
fn viewers_are_told_where_a_stun_server_sees_us() {
    let (name, requests) = stun_server("203.0.113.7:4444");
    let config = PublicationConfig {
        stun_server: Some(name),
        ..PublicationConfig::default()
    };
    let mut stage = Stage::with(engine(1, &[localhost()]), config, Arc::new(|_| true));
    stage.join(1);
    stage.wait("the first is told", |stage| reflexive(stage, ONE).is_some());
    let candidate = reflexive(&stage, ONE).expect("it was told");
    assert!(candidate.starts_with("candidate:"), "{candidate}");
    assert!(
        candidate.contains(" 203.0.113.7 4444 typ srflx"),
        "{candidate}"
    );
    stage.join(3);
    stage.wait("the others are told", |stage| {
        (1..3).all(|viewer| reflexive(stage, ViewerId(viewer)).is_some())
    });
    assert_eq!(
        requests.load(Ordering::Relaxed),
        1,
        "one request is enough for all"
    );
    stage.play(10);
    stage.wait_frames(&[0, 1, 2], 10);
}

#[test]
fn a_stun_server_that_never_answers_keeps_nobody_waiting() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let names = [
        silent.local_addr().expect("an address").to_string(),
        "name.invalid:3478".to_owned(),
        "no server".to_owned(),
    ];
    for name in names {
        let config = PublicationConfig {
            stun_server: Some(name),
            ..PublicationConfig::default()
        };
        let mut stage = Stage::with(engine(1, &[localhost()]), config, Arc::new(|_| true));
        stage.join(1);
        stage.play(10);
        stage.wait_frames(&[0], 10);
        assert_eq!(reflexive(&stage, ONE), None);
    }
}
