//! CNAMEs in descriptions: receivers play those streams in step that have the same.

use std::collections::BTreeSet;
use std::time::Instant;

use wigwag_media::ids::StreamId;
use wigwag_media::session::{Codec, Session, SessionConfig};

use crate::virtual_network::config;

const OFFER: &str = include_str!("described/chromium-offer.sdp");

fn sender() -> SessionConfig {
    config(
        &[(StreamId(0), Codec::Vp8), (StreamId(1), Codec::Opus)],
        None,
    )
}

fn offer(config: &SessionConfig) -> String {
    let offered = Session::offer(config, &[], Instant::now());
    offered.expect("an offer").1
}

fn canonical_names(sdp: &str) -> BTreeSet<&str> {
    let lines = sdp.lines().filter(|line| line.starts_with("a=ssrc:"));
    let names = lines.filter_map(|line| line.split_once(" cname:"));
    names.map(|(_, name)| name).collect()
}

#[test]
fn streams_of_a_sender_have_one_cname_in_offers_and_answers() {
    let config = sender();
    let (offer, answered) = (
        offer(&config),
        Session::answer(&config, OFFER, &[], &[], Instant::now()),
    );
    let (_, answer) = answered.expect("an answer");
    assert_eq!(offer.matches(" cname:").count(), 3);
    assert_eq!(canonical_names(&offer).len(), 1);
    assert_eq!(canonical_names(&offer), canonical_names(&answer));
}

#[test]
fn senders_have_cnames_of_their_own() {
    let [first, second] = [(); 2].map(|()| offer(&sender()));
    assert_ne!(canonical_names(&first), canonical_names(&second));
}
