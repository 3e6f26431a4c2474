//! Viewers that misbehave, move, freeze or vanish, over the loopback interface: the others get every frame while
//! they do.

use std::net::UdpSocket;
use std::num::NonZeroUsize;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stun_types::attribute::Username;
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageWriteVec, ShortTermCredentials,
};
use stun_types::prelude::*;
use wigwag_media::engine::{
    Engine, EngineConfig, PLI_INTERVAL, PublicationConfig, PublicationEvent,
    UNKNOWN_SOURCE_CHECKS_AT_ONCE, VIEWER_WORK_AT_ONCE, VIEWER_WORK_PER_SECOND, ViewerEvent,
};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::{LimitError, SILENCE_TIMEOUT, TransportError};

use crate::engine_stage;
use crate::engine_stage::{
    PACKETS, PATIENCE, Stage, VIDEO, config, engine, frame, localhost, rendition,
};

/// Behind a NAT, so that others can send in its name.
const ODD: ViewerId = ViewerId(0);
const GOOD: ViewerId = ViewerId(1);
const FRAME: Duration = Duration::from_millis(33);

fn stage() -> Stage {
    let mut stage = Stage::new(engine(1, &[localhost()]));
    stage.behind_nat.insert(ODD);
    stage.join(3);
    stage
}

/// Sends 30 frames a second, as a camera does, while something happens after each: for so long, and then until the
/// good viewers have all frames of that time. What holds their frames up for as long as it happens fails here.
fn broadcast(stage: &mut Stage, time: Duration, mut meanwhile: impl FnMut(&mut Stage)) -> u64 {
    let begin = Instant::now();
    let before = frames(stage);
    let (mut sent, mut due) = (0, None);
    loop {
        let is_over = begin.elapsed() >= time;
        let due = is_over.then(|| *due.get_or_insert(sent));
        if due.is_some_and(|due| {
            frames(stage)
                .iter()
                .zip(&before)
                .all(|(it, had)| it - had >= due)
        }) {
            return sent;
        }
        assert!(begin.elapsed() < time + PATIENCE, "frames wait: {due:?}");
        let number = u32::try_from(begin.elapsed().as_millis() / 33).expect("not that long");
        // What is late is sent at once, as from a queue.
        while sent <= u64::from(number) {
            let frame = frame(rendition(0), stage.next_number(), sent % 30 == 0);
            stage.publication().send_frame(frame);
            sent += 1;
        }
        meanwhile(stage);
        stage.carry(FRAME / 4);
    }
}

/// Whether the good viewers get so many frames and miss none.
fn assert_served(stage: &mut Stage, before: &[u64], sent: u64) {
    for (place, viewer) in [GOOD, ViewerId(2)].into_iter().enumerate() {
        stage.wait("every frame arrives", |stage| {
            stage.video(viewer).map_or(0, |video| video.frames) >= before[place] + sent
        });
        let video = stage.video(viewer).expect("it was there");
        assert_eq!((video.frames, video.missing), (before[place] + sent, 0));
        assert_eq!(stage.end(viewer), None);
    }
}

fn frames(stage: &Stage) -> Vec<u64> {
    let of = |viewer| stage.video(viewer).map_or(0, |video| video.frames);
    [GOOD, ViewerId(2)].map(of).to_vec()
}

fn served_while(stage: &mut Stage, time: Duration, meanwhile: impl FnMut(&mut Stage)) {
    let before = frames(stage);
    let sent = broadcast(stage, time, meanwhile);
    assert_served(stage, &before, sent);
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_viewer_that_changes_its_address_is_followed() {
    let mut stage = stage();
    served_while(&mut stage, SECOND, |_| ());
    for _ in 0..2 {
        stage.nats[&ODD].move_on();
        let before = stage.video(ODD).expect("it was there").frames;
        served_while(&mut stage, 6 * SECOND, |_| ());
        let video = stage.video(ODD).expect("it was there");
        // Four seconds at most without a picture.
        assert!(video.frames - before > 50, "{video:?}");
    }
    assert_eq!(stage.end(ODD), None);
}

#[test]
fn a_viewer_that_floods_costs_only_itself() {
    let mut stage = stage();
    let report = [0x81; 60];
    let begin = Instant::now();
    served_while(&mut stage, 3 * SECOND, |stage| {
        for _ in 0..500 {
            stage.nats[&ODD].forge(&report);
        }
    });
    let statistics = stage.publication().statistics(PATIENCE);
    let over = statistics[&ODD].datagrams_over_limit;
    assert!(over > u64::from(VIEWER_WORK_AT_ONCE), "{statistics:?}");
    assert_eq!(statistics[&GOOD].datagrams_over_limit, 0);
    let work =
        VIEWER_WORK_PER_SECOND * (2 + u32::try_from(begin.elapsed().as_secs()).expect("few"));
    assert!(statistics[&ODD].datagrams_received <= u64::from(2 * VIEWER_WORK_AT_ONCE + work));
    assert!(stage.engine.statistics().datagrams_over_limit >= over);
}

#[test]
fn what_comes_in_the_name_of_a_viewer_does_it_no_harm() {
    let mut stage = stage();
    let mut number = 0u32;
    let before = frames(&stage);
    let sent = broadcast(&mut stage, 2 * SECOND, |stage| {
        for _ in 0..3 {
            number += 1;
            let nat = &stage.nats[&ODD];
            let mut junk = number.to_be_bytes().repeat(1 + number as usize % 40);
            junk[0] = [0, 20, 21, 22, 23, 128, 129, 255][number as usize % 8];
            nat.forge(&junk);
            // A fatal alert and a farewell, in clear.
            nat.forge(&[
                21,
                0xfe,
                0xfd,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                number as u8,
                0,
                2,
                2,
                40,
            ]);
            nat.forge(&[
                21,
                0xfe,
                0xfd,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                number as u8,
                0,
                2,
                1,
                0,
            ]);
            nat.forge(&[0x80, 203, 0, 1, 0, 0, 0, 7]);
        }
    });
    assert_served(&mut stage, &before, sent);
    stage.wait("every frame arrives", |stage| {
        stage.video(ODD).is_some_and(|video| video.frames >= sent)
    });
    assert_eq!(stage.end(ODD), None);
    let video = stage.video(ODD).expect("it was there");
    assert_eq!((video.frames, video.missing), (sent, 0));
}

#[test]
fn a_viewer_that_freezes_or_vanishes_ends_and_nobody_notices() {
    let mut stage = Stage::new(engine(1, &[localhost()]));
    let gone = ViewerId(3);
    stage.behind_nat.insert(ODD);
    stage.join(4);
    served_while(&mut stage, SECOND, |_| ());
    // One has a socket that nobody reads, of the other nothing is left.
    stage.nats[&ODD].freeze();
    stage.receivers.vanish(stage.viewers[&gone]).expect("there");
    let begin = Instant::now();
    served_while(&mut stage, SILENCE_TIMEOUT - SECOND, |_| ());
    if begin.elapsed() < SILENCE_TIMEOUT {
        assert_eq!((stage.end(ODD), stage.end(gone)), (None, None));
    }
    stage.wait("they end", |stage| {
        stage.end(ODD).is_some() && stage.end(gone).is_some()
    });
    for viewer in [ODD, gone] {
        assert_eq!(
            stage.end(viewer),
            Some(&TransportError::ConsentExpired.into())
        );
    }
    assert_eq!(stage.engine.statistics().viewers, 2);
}

#[test]
fn wishes_for_key_frames_are_passed_on_now_and_then() {
    let mut stage = stage();
    served_while(&mut stage, SECOND, |_| ());
    stage.reported.clear();
    let begin = Instant::now();
    served_while(&mut stage, 2 * SECOND, |stage| {
        for _ in 0..5 {
            let id = stage.viewers[&ODD];
            stage.receivers.ask_for_key_frames(id).expect("it is there");
        }
    });
    let heard = stage.reported[&ODD].iter();
    let wishes = heard.filter(|event| **event == ViewerEvent::KeyFrameWanted(VIDEO));
    let wishes = u32::try_from(wishes.count()).expect("not that many");
    assert!(wishes > 0);
    assert!(PLI_INTERVAL * wishes <= begin.elapsed() + PLI_INTERVAL);
}

#[test]
fn strangers_that_know_a_name_cannot_spend_what_its_viewer_may() {
    let mut stage = stage();
    let ufrag = stage.offer(ODD).lines();
    let ufrag = ufrag.filter_map(|line| line.strip_prefix("a=ice-ufrag:"));
    let ufrag = ufrag.take(1).collect::<String>();
    let user = Username::new(&format!("{ufrag}:stranger")).expect("short enough");
    let mut check = Message::builder_request(BINDING, MessageWriteVec::new());
    check.add_attribute(&user).expect("it has room");
    let password = ShortTermCredentials::new("a guess".to_owned());
    check
        .add_message_integrity(&password.into(), IntegrityAlgorithm::Sha1)
        .expect("it has room");
    let check = check.finish();
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let to = stage.candidate(ODD);
    let mut sent = 0;
    // As browsers do, it tells no address that could be reached.
    let newcomer = ViewerId(3);
    stage.behind_nat.insert(newcomer);
    served_while(&mut stage, 2 * SECOND, |stage| {
        if sent > UNKNOWN_SOURCE_CHECKS_AT_ONCE && !stage.reported.contains_key(&newcomer) {
            stage.add(newcomer);
            stage.reported.entry(newcomer).or_default();
        }
        for _ in 0..100 {
            stranger.send_to(&check, to).expect("it is sent");
            sent += 1;
        }
    });
    assert!(sent > 2 * UNKNOWN_SOURCE_CHECKS_AT_ONCE, "{sent}");
    assert!(
        stage.is_connected(newcomer),
        "{:?}",
        stage.reported[&newcomer]
    );
    let statistics = stage.engine.statistics();
    assert!(statistics.datagrams_over_limit > 0, "{statistics:?}");
    let of = stage.publication().statistics(PATIENCE);
    assert!(of.values().all(|it| it.datagrams_over_limit == 0));
    let video = stage.video(ODD).expect("it was there");
    assert_eq!(video.missing, 0);
}

fn full(stage: &Stage, viewer: u64) -> bool {
    stage.end(ViewerId(viewer)) == Some(&LimitError::TooManyViewers.into())
}

#[test]
fn a_publication_has_no_more_viewers_than_it_may() {
    let limited = PublicationConfig {
        max_viewers: NonZeroUsize::new(2),
        ..PublicationConfig::default()
    };
    let engine = engine(2, &[localhost()]);
    let mut stage = Stage::with(engine.clone(), limited, Arc::new(|_| true));
    stage.join(2);
    assert_eq!(
        stage.publication().refusal(),
        Some(LimitError::TooManyViewers)
    );
    for viewer in 2..5 {
        stage.add(ViewerId(viewer));
    }
    stage.wait("they are refused", |stage| (2..5).all(|it| full(stage, it)));
    assert_eq!(engine.statistics().viewers_refused, 4);
    assert_eq!(engine.statistics().viewers, 2);
    // Another publication has room of its own.
    let mut other = Stage::new(engine.clone());
    other.join(3);
    // One goes, and another may come at once.
    stage.publication().remove_viewer(GOOD);
    assert_eq!(stage.publication().refusal(), None);
    stage.add(ViewerId(5));
    stage.wait("it is connected", |stage| stage.is_connected(ViewerId(5)));
    stage.add(ViewerId(6));
    stage.wait("it is refused", |stage| full(stage, 6));
    stage.play(10);
    stage.wait_frames(&[0, 5], 10);
    drop((stage, other));
    let end = Instant::now() + PATIENCE;
    while engine.statistics().viewers > 0 {
        assert!(Instant::now() < end, "{:?}", engine.statistics());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_engine_has_no_more_viewers_than_it_may() {
    let limited = EngineConfig {
        addresses: vec![localhost()],
        max_viewers: NonZeroUsize::new(3),
        ..EngineConfig::default()
    };
    let engine = Engine::start(limited).expect("an engine");
    let mut one = Stage::new(engine.clone());
    let mut two = Stage::new(engine.clone());
    two.config = config();
    one.join(2);
    two.join(1);
    two.add(ViewerId(1));
    two.wait("it is refused", |stage| full(stage, 1));
    assert_eq!(engine.statistics().viewers_refused, 1);
    let id = one.viewers[&ViewerId(0)];
    one.receivers.close(id).expect("it is there");
    one.wait("it is gone", |stage| stage.end(ViewerId(0)).is_some());
    two.add(ViewerId(2));
    two.wait("it is connected", |stage| stage.is_connected(ViewerId(2)));
}

#[test]
fn a_crowd_that_joins_does_not_hold_up_the_frames_of_those_who_watch() {
    const CROWD: u64 = 200;
    /// What an offer takes at least.
    const OFFER: Duration = Duration::from_millis(1);
    // How many datagrams had been sent when each offer was made.
    let sent_before: Arc<Mutex<Vec<u64>>> = Arc::default();
    let counted: Arc<Mutex<Option<Engine>>> = Arc::default();
    let (frame_is_there, comes) = channel();
    let comes = Mutex::new(comes);
    let (engine, noted) = (Arc::clone(&counted), Arc::clone(&sent_before));
    let gate = Arc::new(move |event: &PublicationEvent| {
        if matches!(event.kind, ViewerEvent::LocalDescription { .. })
            && let Some(engine) = &*engine.lock().expect("nobody panicked")
        {
            let mut noted = noted.lock().expect("nobody panicked");
            noted.push(engine.statistics().datagrams_sent);
            let is_first = noted.len() == 1;
            drop(noted);
            if is_first {
                // The frame is there while nearly all of the crowd is still to be worked through.
                let comes = comes.lock().expect("nobody panicked");
                comes.recv_timeout(PATIENCE).expect("the frame comes");
            }
            // A turn is a time: on a fast machine many more offers would be made in it.
            std::thread::sleep(OFFER);
        }
        true
    });
    let running = engine_stage::engine(1, &[localhost()]);
    let mut stage = Stage::with(running, PublicationConfig::default(), gate);
    stage.join(1);
    stage.play(1);
    *counted.lock().expect("nobody panicked") = Some(stage.engine.clone());
    let number = stage.next_number();
    (1..=CROWD).for_each(|viewer| stage.add(ViewerId(viewer)));
    stage
        .publication()
        .send_frame(frame(rendition(0), number, false));
    frame_is_there.send(()).expect("somebody waits for it");
    // Nobody answers the offers, so nothing else is sent meanwhile but a check now and then.
    let end = Instant::now() + PATIENCE;
    let sent = loop {
        let sent = sent_before.lock().expect("nobody panicked").clone();
        if sent.len() as u64 == CROWD {
            break sent;
        }
        assert!(Instant::now() < end, "{} offers were made", sent.len());
        std::thread::sleep(FRAME);
    };
    *counted.lock().expect("nobody panicked") = None;
    // The turn that it came in and the next may be spent on offers: a few of a millisecond or more each.
    let before = |offer: usize| sent[offer] - sent[0];
    assert!(
        before(sent.len() / 4) >= PACKETS as u64,
        "the frame waited for a quarter of the crowd: {} of its packets, {} for the last",
        before(sent.len() / 4),
        before(sent.len() - 1),
    );
    stage.wait_frames(&[0], 2);
}
