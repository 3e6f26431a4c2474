//! What comes to a session in its viewer's name, in virtual time: it goes on, and sends as before.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Codec, EndReason, MAX_CANDIDATES, SILENCE_TIMEOUT, Session, SessionEvent, TransportError,
};

use crate::virtual_network::{Network, SENDER, VIEWER, Viewer, address, config, frame};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);
const FRAME: Duration = Duration::from_millis(33);
const SECOND: Duration = Duration::from_secs(1);
const PACKETS: usize = 4;
const STRANGER: &str = "203.0.113.9:7000";

fn viewer() -> Viewer {
    Viewer::new(|config| config, Instant::now())
}

/// A session that plays.
fn playing() -> Network {
    let mut network = Network::connected(&config(&[VIDEO], Some(2_000_000)), viewer());
    play(&mut network, SECOND);
    network
}

/// Sends 30 frames a second, each tenth a key frame; says how many packets came and the longest gap.
fn play(network: &mut Network, time: Duration) -> (usize, Duration) {
    let before = network.viewer.packets.len();
    let end = network.now + time;
    let (mut last, mut gap) = (network.now, Duration::ZERO);
    let mut number = 0;
    while network.now < end {
        let time = (network.now - network.viewer.started).as_millis() as u32 * 90;
        let picture = frame(VIDEO.0, time, network.now, number % 10 == 0, PACKETS);
        number += 1;
        let came = network.viewer.packets.len();
        network.session.send_frame(&picture, network.now);
        network.run(FRAME);
        if network.viewer.packets.len() > came {
            last = network.now;
        }
        gap = gap.max(network.now - last);
    }
    (network.viewer.packets.len() - before, gap)
}

fn ended(network: &Network) -> Option<&EndReason> {
    network.events.iter().find_map(|event| match event {
        SessionEvent::Ended(reason) => Some(reason),
        _ => None,
    })
}

fn assert_undisturbed(network: &mut Network) {
    network.run(SECOND);
    let before = network.session.statistics().frames_sent;
    let (packets, gap) = play(network, 2 * SECOND);
    network.run(SECOND / 2);
    assert_eq!(ended(network), None);
    let frames = network.session.statistics().frames_sent - before;
    assert!(frames >= 60, "{frames}");
    assert!(packets >= 59 * PACKETS, "{packets}");
    assert!(gap <= 3 * FRAME, "{gap:?}");
}

fn send(network: &mut Network, from: &str, datagram: &[u8]) -> bool {
    let (from, to) = (address(from), address(SENDER));
    let now = network.now;
    network.session.handle_datagram(from, to, datagram, now)
}

/// What the viewer says in a second of playing.
fn overhear(network: &mut Network) -> Vec<Vec<u8>> {
    network.overheard = Some(Vec::new());
    play(network, 4 * SECOND);
    network.overheard.take().unwrap_or_default()
}

fn is_check(datagram: &[u8]) -> bool {
    datagram.starts_with(&[0, 1])
}

fn is_report(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

/// A session in which the viewer offered, which makes it the controlling side of the checks.
fn offered() -> Network {
    let (mut viewer, now) = (viewer(), Instant::now());
    let mut changes = viewer.rtc.sdp_api();
    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = changes.apply().expect("an offer");
    let (session, answer) = Session::answer(
        &config(&[VIDEO], Some(2_000_000)),
        &offer.to_sdp_string(),
        &[],
        &[address(SENDER)],
        now,
    )
    .expect("an answer");
    let answer = SdpAnswer::from_sdp_string(&answer).expect("an answer");
    let accepted = viewer.rtc.sdp_api().accept_answer(pending, answer);
    accepted.expect("an answer that can be used");
    let mut network = Network::new(session, viewer, now);
    network.run(3 * SECOND);
    play(&mut network, SECOND);
    network
}

#[test]
fn a_viewer_that_moves_is_followed_wherever_it_goes() {
    for mut network in [playing(), offered()] {
        for place in [
            "198.51.100.7:6001",
            "198.51.100.8:6002",
            VIEWER,
            "198.51.100.7:6001",
        ] {
            network.move_to(place);
            let (_, gap) = play(&mut network, 8 * SECOND);
            assert!(gap < 5 * SECOND, "{gap:?}");
            // Until str0m gives the old address up, and beyond.
            play(&mut network, 30 * SECOND);
            assert_undisturbed(&mut network);
        }
    }
}

#[test]
fn a_viewer_that_moves_again_and_again_is_followed() {
    let mut network = playing();
    for place in 0..6 {
        network.move_to(&format!("198.51.100.{}:6000", place % 3));
        let (_, gap) = play(&mut network, 8 * SECOND);
        assert!(gap < 5 * SECOND, "{gap:?}");
    }
    assert_undisturbed(&mut network);
}

#[test]
fn checks_that_are_sent_again_by_a_stranger_move_nothing() {
    let mut network = playing();
    let overheard = overhear(&mut network);
    let checks: Vec<_> = overheard.iter().filter(|it| is_check(it)).collect();
    assert!(!checks.is_empty());
    for round in 0..20 {
        for check in &checks {
            send(&mut network, STRANGER, check);
        }
        let replies = overheard.iter().filter(|it| is_report(it)).take(20);
        for report in replies {
            assert!(!send(&mut network, STRANGER, report), "round {round}");
        }
        while let Some(transmit) = network.session.poll_transmit() {
            let to_stranger = transmit.destination == address(STRANGER);
            // Checks are answered, and the stranger is checked: it cannot answer.
            assert!(!to_stranger || transmit.contents[0] < 4, "media");
        }
        network.forget_elsewhere = true;
        play(&mut network, SECOND);
    }
    assert_undisturbed(&mut network);
}

#[test]
fn a_check_with_another_integrity_is_nobodys() {
    let mut network = playing();
    let overheard = overhear(&mut network);
    let check = overheard.iter().find(|it| is_check(it)).expect("a check");
    for from in [VIEWER, STRANGER] {
        for place in 0..check.len() {
            let mut other = check.clone();
            other[place] ^= 1;
            // What the hash covers is all but what follows it.
            if place + 8 < check.len() {
                assert!(!send(&mut network, from, &other), "byte {place}");
            }
            assert!(!send(&mut network, from, &check[..place]), "{place} bytes");
        }
    }
    assert_undisturbed(&mut network);
}

#[test]
fn reports_that_are_sent_again_or_forged_do_no_harm() {
    let mut network = playing();
    let overheard = overhear(&mut network);
    let reports: Vec<_> = overheard.iter().filter(|it| is_report(it)).collect();
    assert!(reports.len() > 20);
    let mut chance = StdRng::seed_from_u64(1);
    for _ in 0..100 {
        for report in &reports {
            send(&mut network, VIEWER, report);
            let mut forged = report.to_vec();
            let place = chance.random_range(0..forged.len());
            forged[place] = forged[place].wrapping_add(1);
            send(&mut network, VIEWER, &forged);
            send(&mut network, VIEWER, &report[..place]);
        }
    }
    assert_undisturbed(&mut network);
}

#[test]
fn a_wish_for_a_key_frame_that_is_sent_again_is_one_of_its_viewer() {
    let mut network = playing();
    network.overheard = Some(Vec::new());
    let mid = network.viewer.packets[0].header.ext_vals.mid;
    network.viewer.ask_for_key_frame(mid.expect("a mid"));
    play(&mut network, SECOND);
    let overheard = network.overheard.take().unwrap_or_default();
    for _ in 0..50 {
        for report in overheard.iter().filter(|it| is_report(it)) {
            send(&mut network, VIEWER, report);
        }
    }
    assert_undisturbed(&mut network);
}

#[test]
fn media_for_us_who_only_send_is_thrown_away() {
    let mut network = playing();
    let before = network.session.statistics().datagrams_received;
    for ssrc in 0..10_000u32 {
        for payload_type in [96, 97, 111] {
            let mut packet = vec![0x80, payload_type, (ssrc >> 8) as u8, ssrc as u8];
            packet.extend([0; 4]);
            packet.extend(ssrc.to_be_bytes());
            packet.extend([7; 100]);
            assert!(!send(&mut network, VIEWER, &packet));
        }
    }
    assert_eq!(network.session.statistics().datagrams_received, before);
    assert_undisturbed(&mut network);
}

/// A record of DTLS 1.2 (RFC 6347, 4.1).
fn record(kind: u8, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 0xfe, 0xfd];
    record.extend(epoch.to_be_bytes());
    record.extend(&sequence.to_be_bytes()[2..]);
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

#[test]
fn records_that_are_not_authentic_do_not_end_a_session() {
    let mut network = playing();
    let fatal = [2, 40];
    let close_notify = [1, 0];
    for epoch in [0, 1, 2, u16::MAX] {
        for sequence in [0, 1, 2, 5, 1_000, (1 << 48) - 1] {
            for body in [&fatal[..], &close_notify[..], &[2, 10], &[2], &[], &[0; 40]] {
                for kind in [20, 21, 22, 23, 24, 25, 63] {
                    send(&mut network, VIEWER, &record(kind, epoch, sequence, body));
                }
            }
        }
    }
    // A greeting, as of a client that begins anew.
    let mut hello = vec![1, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 60, 0xfe, 0xfd];
    hello.resize(12 + 60, 3);
    for sequence in 0..50 {
        send(&mut network, VIEWER, &record(22, 0, sequence, &hello));
        send(&mut network, VIEWER, &record(22, 1, sequence, &hello));
    }
    let mut cut = record(22, 0, 9, &hello);
    while cut.pop().is_some() {
        send(&mut network, VIEWER, &cut);
    }
    assert_undisturbed(&mut network);
}

#[test]
fn ten_thousand_random_datagrams_do_no_harm() {
    let mut network = playing();
    let mut chance = StdRng::seed_from_u64(7);
    for number in 0..10_000 {
        let length = chance.random_range(0..1_400);
        let mut datagram: Vec<u8> = (0..length).map(|_| chance.random()).collect();
        if let Some(first) = datagram.first_mut() {
            *first = [0, 20, 22, 128, 129, 64, chance.random()][number % 7];
        }
        if number % 14 == 3 && length > 1 {
            datagram[1] = 200 + (number % 8) as u8;
        }
        send(&mut network, VIEWER, &datagram);
        assert!(ended(&network).is_none() && !network.session.is_over());
    }
    assert_undisturbed(&mut network);
}

#[test]
fn what_others_send_in_the_name_of_a_viewer_that_is_gone_does_not_keep_it() {
    let mut network = playing();
    let overheard = overhear(&mut network);
    let answers: Vec<_> = overheard
        .iter()
        .filter(|it| it.starts_with(&[1, 1]) || is_report(it))
        .cloned()
        .collect();
    network.viewer_is_heard = false;
    let gone = network.now;
    while ended(&network).is_none() {
        assert!(network.now - gone < SILENCE_TIMEOUT + 2 * SECOND);
        for datagram in answers.iter().take(50) {
            send(&mut network, VIEWER, datagram);
        }
        send(&mut network, VIEWER, &[0x80; 200]);
        send(&mut network, VIEWER, &record(23, 1, 99, &[0; 40]));
        network.run(SECOND / 5);
    }
    assert_eq!(
        ended(&network),
        Some(&TransportError::ConsentExpired.into())
    );
}

#[test]
fn candidates_beyond_the_limit_are_passed_over() {
    let now = Instant::now();
    let mut network = Network::negotiated(&config(&[VIDEO], None), viewer(), now);
    for number in 0..5_000u32 {
        let (a, b) = (number / 250, number % 250);
        let text = format!("candidate:{number} 1 UDP {number} 10.0.{a}.{b} 9 typ host");
        network.session.handle_candidate(&text, now);
    }
    let mut reached = BTreeSet::<SocketAddr>::new();
    for step in 0..600 {
        network.session.handle_timeout(now + step * SECOND / 60);
        while let Some(transmit) = network.session.poll_transmit() {
            reached.insert(transmit.destination);
        }
    }
    // With the one of the answer.
    assert_eq!(reached.len(), MAX_CANDIDATES);
    let ignored = network.session.statistics().candidates_ignored;
    assert_eq!(ignored, 5_000 + 1 - MAX_CANDIDATES as u64);
}
