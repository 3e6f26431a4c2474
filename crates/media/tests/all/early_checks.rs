//! Connectivity checks that come before the viewer's answer, which takes a longer way, in virtual time.

use std::time::{Duration, Instant};

use wigwag_media::ids::StreamId;
use wigwag_media::session::{Codec, Session, SessionEvent};

use crate::virtual_network::{Network, SENDER, VIEWER, Viewer, address, config};

const VIDEO: (StreamId, Codec) = (StreamId(0), Codec::Vp8);

/// A session whose viewer has its offer and checks; its answer is on its way.
fn checked() -> (Network, String) {
    let now = Instant::now();
    let config = config(&[VIDEO], Some(2_000_000));
    let (session, offer) = Session::offer(&config, &[address(SENDER)], now).expect("an offer");
    let mut network = Network::new(session, Viewer::new(|config| config, now), now);
    let answer = network.viewer.answer(&offer);
    network.run(Duration::from_millis(500));
    (network, answer)
}

#[test]
fn check_before_the_answer_is_reported_and_answered_with_it() {
    let (mut network, answer) = checked();
    assert_eq!(network.events, [SessionEvent::Checked]);
    network.session.handle_answer(&answer, &[], network.now);
    let sent = std::iter::from_fn(|| network.session.poll_transmit());
    let is_success = |datagram: &[u8]| datagram.starts_with(&[1, 1]);
    let answered = sent.filter(|transmit| is_success(&transmit.contents));
    let places: Vec<_> = answered.map(|transmit| transmit.destination).collect();
    assert!(places.contains(&address(VIEWER)), "{places:?}");
    network.run(Duration::from_secs(1));
    assert!(network.events.contains(&SessionEvent::Connected));
    assert!(network.viewer.connected);
}

#[test]
fn what_is_no_check_for_us_before_the_answer_is_not_taken() {
    let (mut network, _) = checked();
    let now = network.now;
    let mut other = checked().0;
    other.overheard = Some(Vec::new());
    other.run(Duration::from_secs(1));
    let foreign = other.overheard.expect("it was kept");
    assert!(!foreign.is_empty());
    let junk = [
        vec![0; 20],
        vec![20, 254, 253, 0],
        vec![128; 40],
        Vec::new(),
    ];
    for datagram in foreign.iter().chain(&junk) {
        let (source, ours) = (address(VIEWER), address(SENDER));
        assert!(!network.session.recognises(ours, datagram, now));
        assert!(!network.session.handle_datagram(source, ours, datagram, now));
    }
}
