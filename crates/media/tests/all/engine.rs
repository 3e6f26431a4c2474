//! The engine with real viewers, over the loopback interface.

use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use wigwag_media::demand::Handover;
use wigwag_media::engine::{Negotiation, ViewerEvent};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::{EndReason, PeerError};

use crate::engine_stage::{PACKETS, PATIENCE, Stage, VIDEO, engine, frame, localhost, rendition};

const ONE: ViewerId = ViewerId(0);
const TWO: ViewerId = ViewerId(1);

fn stage() -> Stage {
    Stage::new(engine(1, &[localhost()]))
}

#[test]
fn one_viewer_gets_every_frame() {
    let mut stage = stage();
    stage.join(1);
    assert!(stage.has_heard(ONE, &ViewerEvent::Negotiated(vec![(VIDEO, vec![0])])));
    stage.wait("a key frame is wanted", |stage| {
        stage.has_heard(ONE, &ViewerEvent::KeyFrameWanted(VIDEO))
    });
    stage.play(60);
    stage.wait_frames(&[0], 60);
    let video = stage.video(ONE).expect("it was there");
    assert_eq!(video.packets, 60 * PACKETS as u64);
    assert_eq!(video.key_frames, 1);
    let counted = stage.publication().statistics(PATIENCE);
    assert_eq!(counted.keys().collect::<Vec<_>>(), [&ONE]);
    assert_eq!(counted[&ONE].frames_sent, 60);
    let engine = stage.engine.statistics();
    assert_eq!(engine.datagrams_not_sent, 0);
    assert!(engine.datagrams_sent >= 60 * PACKETS as u64);
    if cfg!(target_os = "linux") {
        assert!(engine.send_calls < engine.datagrams_sent / 2, "{engine:?}");
    }
}

#[test]
fn ten_viewers_on_two_shards_get_every_frame() {
    let mut stage = Stage::new(engine(2, &[localhost()]));
    stage.join(10);
    let mut ports: Vec<_> = (0..10).map(|id| stage.candidate(ViewerId(id))).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 2, "both shards have viewers");
    stage.play(60);
    stage.wait_frames(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 60);
    assert_eq!(stage.publication().statistics(PATIENCE).len(), 10);
}

#[test]
fn with_congestion_control_a_viewer_gets_every_frame_and_its_estimates_are_heard() {
    let mut stage = stage();
    let mut config = (*stage.config).clone();
    config.start_bitrate = Some(20_000_000);
    stage.config = Arc::new(config);
    stage.join(1);
    stage.publication().set_rates(ONE, 2_000_000, 4_000_000);
    stage.play(60);
    stage.wait_frames(&[0], 60);
    stage.wait("an estimate", |stage| {
        let mut heard = stage.reported[&ONE].iter();
        heard.any(|event| matches!(event, ViewerEvent::Estimate(_)))
    });
}

#[test]
fn a_viewer_may_be_reachable_by_ipv6_only() {
    let loopback: IpAddr = "::1".parse().expect("an address");
    if UdpSocket::bind((loopback, 0)).is_err() {
        eprintln!("this machine has no IPv6");
        return;
    }
    let mut stage = Stage::new(engine(1, &[localhost(), loopback]));
    stage.addresses = vec![loopback];
    stage.join(1);
    stage.play(30);
    stage.wait_frames(&[0], 30);
}

#[test]
fn a_viewer_may_offer() {
    let mut stage = stage();
    stage.add_offering(ONE);
    stage.wait_connected(1);
    stage.play(30);
    stage.wait_frames(&[0], 30);
}

#[test]
fn candidates_may_come_after_the_answer() {
    let mut stage = stage();
    stage.trickle = true;
    stage.join(1);
    stage.play(30);
    stage.wait_frames(&[0], 30);
}

#[test]
fn every_usable_address_is_offered_unless_some_are_named() {
    let mut stage = Stage::new(engine(1, &[]));
    stage.add(ONE);
    stage.wait("an offer", |stage| stage.reported.contains_key(&ONE));
    assert!(stage.offer(ONE).contains("a=candidate:"));
}

#[test]
fn a_viewer_gets_the_rendition_that_it_is_given() {
    let mut stage = stage();
    stage.join(2);
    stage
        .publication()
        .give(TWO, rendition(1), Handover::AskForKeyFrame);
    for number in 0..10 {
        let publication = stage.publication();
        // The other goes first, because a viewer is sent the old one until a key frame of the new comes.
        if number < 5 {
            publication.send_frame(frame(rendition(1), number, number == 0));
        }
        publication.send_frame(frame(rendition(0), number, number == 0));
    }
    stage.wait_frames(&[0], 10);
    stage.wait_frames(&[1], 5);
}

#[test]
fn a_viewer_that_is_removed_is_told() {
    let mut stage = stage();
    stage.join(2);
    stage.publication().remove_viewer(ONE);
    stage.wait("the viewer hears of it", |stage| {
        stage.report(ONE).is_closed
    });
    stage.wait("we hear of it", |stage| stage.end(ONE).is_some());
    assert_eq!(stage.end(ONE), Some(&EndReason::Closed));
    let last = stage.reported[&ONE].last();
    assert_eq!(last, Some(&ViewerEvent::Ended(EndReason::Closed)));
    stage.play(30);
    stage.wait_frames(&[1], 30);
    let counted = stage.publication().statistics(PATIENCE);
    assert_eq!(counted.into_keys().collect::<Vec<_>>(), [TWO]);
}

#[test]
fn a_viewer_that_closes_is_gone() {
    let mut stage = stage();
    stage.join(2);
    let id = stage.viewers[&ONE];
    stage.receivers.close(id).expect("it is there");
    stage.wait("we hear of it", |stage| stage.end(ONE).is_some());
    assert_eq!(stage.end(ONE), Some(&EndReason::ClosedByViewer));
    stage.play(30);
    stage.wait_frames(&[1], 30);
}

#[test]
fn a_publication_that_is_closed_tells_all_viewers_within_its_wait() {
    let mut stage = stage();
    stage.join(5);
    let begun = Instant::now();
    let publication = stage.publication.take().expect("not closed");
    publication.close(PATIENCE);
    assert!(begun.elapsed() < PATIENCE, "it is done before");
    stage.wait("the viewers hear of it", |stage| {
        (0..5).all(|viewer| stage.report(ViewerId(viewer)).is_closed)
    });
}

#[test]
fn a_publication_that_is_dropped_tells_its_viewers_and_leaves_others_alone() {
    let engine = engine(1, &[localhost()]);
    let mut first = Stage::new(engine.clone());
    let mut second = Stage::new(engine);
    first.join(1);
    second.join(1);
    first.publication = None;
    first.wait("the viewer hears of it", |stage| {
        stage.report(ONE).is_closed
    });
    second.play(30);
    second.wait_frames(&[0], 30);
}

#[test]
fn a_viewer_that_vanishes_does_not_disturb_the_others() {
    let mut stage = stage();
    stage.join(3);
    stage.play(20);
    stage.wait_frames(&[0, 1, 2], 20);
    let id = stage.viewers[&ONE];
    stage.receivers.vanish(id).expect("it is there");
    stage.play(40);
    stage.wait_frames(&[1, 2], 60);
    assert_eq!(stage.end(ONE), None, "it may come back");
}

#[test]
fn a_viewer_that_makes_no_sense_ends_and_nothing_else() {
    let mut stage = stage();
    let preferred = Vec::new();
    let offer = "nonsense".to_owned();
    let negotiation = Negotiation::Answer { offer, preferred };
    let config = Arc::clone(&stage.config);
    stage.publication().add_viewer(TWO, config, negotiation);
    stage.wait("it ends", |stage| stage.end(TWO).is_some());
    assert_eq!(
        stage.end(TWO),
        Some(&PeerError::MalformedDescription.into())
    );
    stage.join(1);
    stage
        .publication()
        .accept_answer(TWO, "nonsense".to_owned(), Vec::new());
    stage
        .publication()
        .add_candidate(ONE, "nonsense".to_owned());
    stage.publication().remove_viewer(ViewerId(99));
    stage.play(10);
    stage.wait_frames(&[0], 10);
}

#[test]
fn a_key_frame_that_a_viewer_asks_for_is_asked_of_the_owner() {
    let mut stage = stage();
    stage.join(1);
    stage.play(10);
    stage.wait_frames(&[0], 10);
    stage.reported.clear();
    let id = stage.viewers[&ONE];
    stage.receivers.ask_for_key_frames(id).expect("it is there");
    stage.wait("it is asked for", |stage| {
        stage.has_heard(ONE, &ViewerEvent::KeyFrameWanted(VIDEO))
    });
}

#[test]
fn frames_may_come_from_any_thread() {
    let mut stage = stage();
    stage.join(1);
    let publication = Mutex::new(stage.publication.take().expect("not closed"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let publication = publication.lock().expect("nobody panicked");
            for number in 0..10 {
                publication.send_frame(frame(rendition(0), number, number == 0));
            }
        });
    });
    stage.publication = publication.into_inner().ok();
    stage.wait_frames(&[0], 10);
}
