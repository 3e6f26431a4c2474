//! A peer that sends a picture in several encodings at once, in virtual time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::rtp::RtpWrite;
use wigwag_media::session::{
    Codec, MAX_ENCODINGS, ReceiveConfig, ReceivedPacket, RemoteTrack, Session, SessionConfig,
    SessionEvent,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config};

const FRAME: Duration = Duration::from_millis(20);

/// str0m's payload type.
const VP8: u8 = 96;

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8],
            offered: Vec::new(),
        }),
        ..config(&[], None)
    }
}

struct Call {
    network: Network,
    mid: Mid,
    track: RemoteTrack,
    answer: String,
    sent: u64,
}

impl Call {
    fn new(rids: &[&str]) -> Self {
        let now = Instant::now();
        let mut peer = Viewer::new(|config| config, now);
        let mut simulcast = Simulcast::new();
        for rid in rids {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let mut changes = peer.rtc.sdp_api();
        let video = MediaKind::Video;
        let mid = changes.add_media(video, Direction::SendOnly, None, None, Some(simulcast));
        let (offer, pending) = changes.apply().expect("an offer");
        let ours = [address(SENDER)];
        let answered = Session::answer(&receiving(), &offer.to_sdp_string(), &[], &ours, now);
        let (session, answer) = answered.expect("an answer");
        let read = SdpAnswer::from_sdp_string(&answer).expect("an answer");
        let taken = peer.rtc.sdp_api().accept_answer(pending, read);
        taken.expect("it is taken");
        let mut network = Network::new(session, peer, now);
        network.run(Duration::from_secs(2));
        assert!(network.events.contains(&SessionEvent::Connected));
        let track = network.events.iter().find_map(|event| match event {
            SessionEvent::RemoteTracks(tracks) => tracks.first().cloned(),
            _ => None,
        });
        Self {
            track: track.expect("it is reported"),
            network,
            mid,
            answer,
            sent: 0,
        }
    }

    /// The peer sends a packet of each encoding, of so many bytes as its place says; returns what came meanwhile.
    fn send(&mut self, rids: &[&str]) -> Vec<ReceivedPacket> {
        let (number, now) = (self.sent, self.network.now);
        self.sent += 1;
        for (place, rid) in rids.iter().enumerate() {
            let time = 3_000 * u32::try_from(number).expect("not that many");
            let payload = vec![7; 100 + place];
            let packet = RtpWrite::new(VP8.into(), number.into(), time, now, payload);
            let mut direct = self.network.viewer.rtc.direct_api();
            let stream = direct.stream_tx_by_mid(self.mid, Some(Rid::from(*rid)));
            let stream = stream.expect("it is declared");
            stream.write_rtp(packet.marker(true).nackable(true));
        }
        self.network.run(FRAME);
        std::iter::from_fn(|| self.network.session.poll_packet()).collect()
    }
}

/// How many packets came of each encoding; all of the length that it has.
fn counts(packets: &[ReceivedPacket], rids: &[&str]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for packet in packets {
        let rid = packet.rid.as_deref().expect("it is named");
        let place = rids.iter().position(|known| *known == rid);
        assert_eq!(Some(packet.payload.len() - 100), place);
        *counts.entry(rid.to_owned()).or_default() += 1;
    }
    counts
}

fn all(rids: &[&str], count: usize) -> BTreeMap<String, usize> {
    rids.iter().map(|rid| ((*rid).to_owned(), count)).collect()
}

#[test]
fn encodings_of_a_picture_come_each_under_its_name() {
    let rids = ["h", "m", "l"];
    let mut call = Call::new(&rids);
    let names: Vec<_> = call.track.encodings.iter().map(|it| &**it).collect();
    assert_eq!(names, rids);
    assert!(
        call.answer.contains("a=simulcast:recv h;m;l\r\n"),
        "{}",
        call.answer
    );
    let mut came = Vec::new();
    for _ in 0..20 {
        came.extend(call.send(&rids));
    }
    came.extend(call.send(&[]));
    assert_eq!(counts(&came, &rids), all(&rids, 20));
}

#[test]
fn packets_of_encodings_that_are_lost_are_asked_for() {
    let rids = ["h", "l"];
    let mut call = Call::new(&rids);
    let mut came = Vec::new();
    for _ in 0..10 {
        came.extend(call.send(&rids));
    }
    call.network.viewer_is_heard = false;
    came.extend(call.send(&rids));
    call.network.viewer_is_heard = true;
    for _ in 0..30 {
        came.extend(call.send(&rids));
    }
    for _ in 0..20 {
        came.extend(call.send(&[]));
    }
    assert_eq!(counts(&came, &rids), all(&rids, 41));
}

#[test]
fn key_frame_is_asked_of_each_encoding() {
    let rids = ["h", "l"];
    let mut call = Call::new(&rids);
    call.send(&rids);
    call.send(&rids);
    let before = call.network.viewer.key_frames_requested;
    let now = call.network.now;
    call.network.session.request_key_frame_of(&call.mid, now);
    call.network.run(FRAME * 5);
    assert_eq!(call.network.viewer.key_frames_requested - before, 2);
}

#[test]
fn encodings_beyond_the_limit_are_not_taken() {
    let rids = ["a", "b", "c", "d", "e", "f"];
    let mut call = Call::new(&rids);
    assert_eq!(call.track.encodings.len(), MAX_ENCODINGS);
    let taken = &rids[..MAX_ENCODINGS];
    let mut came = Vec::new();
    for _ in 0..10 {
        came.extend(call.send(taken));
    }
    came.extend(call.send(&[]));
    assert_eq!(counts(&came, taken), all(taken, 10));
}
