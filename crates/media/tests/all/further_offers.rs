//! Further offers of ours to a plain str0m peer, in virtual time.

use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpApi, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use wigwag_media::ids::{StreamId, StreamKind};
use wigwag_media::session::{
    Codec, EndReason, MAX_SECTIONS, ReceiveConfig, Session, SessionConfig, SessionEvent,
    StreamConfig,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config, frame};

const FRAME: Duration = Duration::from_millis(20);

/// What a session sends to a peer that answers.
struct Call {
    network: Network,
    streams: Vec<(StreamId, Codec)>,
    sent: u32,
}

fn streams(of: &[(StreamId, Codec)]) -> Vec<StreamConfig> {
    config(of, None).streams
}

impl Call {
    fn new(of: &[(StreamId, Codec)]) -> Self {
        Self::with(&config(of, None), of)
    }

    fn with(config: &SessionConfig, of: &[(StreamId, Codec)]) -> Self {
        let viewer = Viewer::new(|config| config, Instant::now());
        Self {
            network: Network::connected(config, viewer),
            streams: of.to_vec(),
            sent: 0,
        }
    }

    /// A session whose first offer the peer made.
    fn answering(config: &SessionConfig, change: impl FnOnce(&mut SdpApi<'_>)) -> Self {
        let now = Instant::now();
        let mut peer = Viewer::new(|config| config, now);
        let mut changes = peer.rtc.sdp_api();
        change(&mut changes);
        let (offer, pending) = changes.apply().expect("a change");
        let answered =
            Session::answer(config, &offer.to_sdp_string(), &[], &[address(SENDER)], now);
        let (session, answer) = answered.expect("an answer");
        let mut network = Network::new(session, peer, now);
        accept(&mut network.viewer, pending, &answer);
        network.run(Duration::from_secs(2));
        assert!(network.events.contains(&SessionEvent::Connected));
        Self {
            network,
            streams: Vec::new(),
            sent: 0,
        }
    }

    /// Has the session send these, and returns the offer that it makes.
    fn set(&mut self, of: &[(StreamId, Codec)]) -> Option<String> {
        self.streams = of.to_vec();
        self.network.events.clear();
        let now = self.network.now;
        self.network.session.set_streams(&streams(of), now);
        self.offer()
    }

    /// The last offer that the session made.
    fn offer(&mut self) -> Option<String> {
        self.network.run(FRAME);
        let mut events = self.network.events.iter().rev();
        events.find_map(|event| match event {
            SessionEvent::Offer(offer) => Some(offer.clone()),
            _ => None,
        })
    }

    /// The same, and the peer answers it.
    fn change(&mut self, of: &[(StreamId, Codec)]) -> String {
        let offer = self.set(of).expect("an offer");
        let answer = self.network.viewer.answer(&offer);
        self.answer(&answer);
        offer
    }

    fn answer(&mut self, answer: &str) {
        let now = self.network.now;
        self.network.session.handle_answer(answer, &[], now);
        self.network.run(Duration::from_millis(500));
        assert_eq!(self.end(), None);
    }

    /// How many packets come to the peer of ten frames of a stream.
    fn sent(&mut self, stream: StreamId) -> usize {
        let before = self.network.viewer.packets.len();
        for _ in 0..10 {
            self.sent += 1_800;
            let frame = frame(stream, self.sent, self.network.now, true, 1);
            self.network.session.send_frame(&frame, self.network.now);
            self.network.run(FRAME);
        }
        self.network.run(FRAME * 5);
        self.network.viewer.packets.len() - before
    }

    /// The same of all streams.
    fn assert_all_sent(&mut self) {
        for (stream, codec) in self.streams.clone() {
            assert_eq!(self.sent(stream), 10, "{stream:?} {codec:?}");
        }
    }

    fn end(&self) -> Option<&EndReason> {
        self.network.events.iter().find_map(|event| match event {
            SessionEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }

    fn negotiated(&self) -> Vec<StreamId> {
        let mut events = self.network.events.iter().rev();
        let streams = events.find_map(|event| match event {
            SessionEvent::Negotiated(streams) => Some(streams),
            _ => None,
        });
        let streams = streams.into_iter().flatten();
        streams.map(|(stream, _)| *stream).collect()
    }
}

fn accept(peer: &mut Viewer, pending: SdpPendingOffer, answer: &str) {
    let answer = SdpAnswer::from_sdp_string(answer).expect("an answer");
    let taken = peer.rtc.sdp_api().accept_answer(pending, answer);
    taken.expect("it is taken");
}

/// The media, direction and name of each section.
fn sections(description: &str) -> Vec<(String, String, String)> {
    let sections = description.split("m=").skip(1);
    sections
        .map(|section| {
            let line = |prefix: &str| {
                let mut lines = section.lines();
                let found = lines.find_map(|line| line.strip_prefix(prefix));
                found.unwrap_or_default().to_owned()
            };
            let mut directions = ["sendonly", "recvonly", "inactive", "sendrecv"].into_iter();
            let direction =
                directions.find(|it| section.lines().any(|line| line == format!("a={it}")));
            let media = section.split(' ').next().unwrap_or_default();
            (
                media.to_owned(),
                direction.unwrap_or_default().to_owned(),
                line("a=mid:"),
            )
        })
        .collect()
}

fn directions(description: &str) -> Vec<(String, String)> {
    let sections = sections(description).into_iter();
    sections
        .map(|(media, direction, _)| (media, direction))
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let of = of.iter();
    of.map(|(media, direction)| ((*media).to_owned(), (*direction).to_owned()))
        .collect()
}

const ONE: (StreamId, Codec) = (StreamId(1), Codec::Vp8);
const TWO: (StreamId, Codec) = (StreamId(2), Codec::Vp8);
const SOUND: (StreamId, Codec) = (StreamId(3), Codec::Opus);
const H264: (StreamId, Codec) = (
    StreamId(4),
    Codec::H264 {
        profile_level_id: 0x42e01f,
    },
);

#[test]
fn stream_that_is_added_is_offered_and_sent_beside_those_before() {
    let mut call = Call::new(&[ONE]);
    call.assert_all_sent();
    let offer = call.change(&[ONE, TWO]);
    assert_eq!(
        directions(&offer),
        pairs(&[("video", "sendonly"), ("video", "sendonly")])
    );
    assert!(offer.contains("a=setup:actpass"), "{offer}");
    assert_eq!(call.negotiated(), [ONE.0, TWO.0]);
    call.assert_all_sent();
}

#[test]
fn streams_of_other_kinds_and_codecs_are_added_to_those_of_one() {
    for first in [ONE, SOUND, H264] {
        let mut call = Call::new(&[first]);
        call.assert_all_sent();
        let others = [ONE, SOUND, H264].into_iter();
        let mut all = vec![first];
        for other in others.filter(|other| *other != first) {
            all.push(other);
            call.change(&all);
            call.assert_all_sent();
        }
    }
}

#[test]
fn stream_that_is_removed_stops_and_goes_on_in_its_section_when_it_returns() {
    let mut call = Call::new(&[ONE, SOUND]);
    let before = sections(&call.change(&[ONE, SOUND, TWO]));
    let offer = call.change(&[TWO, SOUND]);
    let inactive = pairs(&[
        ("audio", "sendonly"),
        ("video", "inactive"),
        ("video", "sendonly"),
    ]);
    assert_eq!(directions(&offer), inactive);
    call.assert_all_sent();
    assert_eq!(call.sent(ONE.0), 0);
    let offer = call.change(&[TWO, SOUND, ONE]);
    assert_eq!(sections(&offer), before);
    call.assert_all_sent();
}

#[test]
fn codec_whose_parameters_changed_is_offered_and_sent_as_before() {
    let mut call = Call::new(&[H264]);
    let other = Codec::H264 {
        profile_level_id: 0x4d_4015,
    };
    assert_eq!(call.set(&[(H264.0, other)]), None);
    let before = call.change(&[H264, SOUND]);
    call.assert_all_sent();
    let after = call.change(&[(H264.0, other), SOUND, ONE]);
    let formats = |offer: &str| {
        let line = offer.lines().find(|line| line.starts_with("m=video"));
        line.unwrap_or_default().to_owned()
    };
    assert_eq!(formats(&after), formats(&before));
    call.assert_all_sent();
}

#[test]
fn streams_that_are_the_same_are_not_offered_again() {
    let mut call = Call::new(&[ONE, SOUND]);
    assert_eq!(call.set(&[ONE, SOUND]), None);
    call.assert_all_sent();
}

#[test]
fn changes_while_an_offer_waits_are_offered_after_its_answer() {
    let mut call = Call::new(&[ONE]);
    let first = call.set(&[ONE, TWO]).expect("an offer");
    assert_eq!(call.set(&[ONE, TWO, SOUND]), None);
    assert_eq!(call.set(&[TWO, SOUND]), None);
    let answer = call.network.viewer.answer(&first);
    call.answer(&answer);
    let second = call.offer().expect("another offer");
    assert_eq!(
        directions(&second),
        pairs(&[
            ("video", "inactive"),
            ("video", "sendonly"),
            ("audio", "sendonly")
        ])
    );
    let answer = call.network.viewer.answer(&second);
    call.answer(&answer);
    call.assert_all_sent();
    assert_eq!(call.sent(ONE.0), 0);
}

#[test]
fn changes_before_the_first_answer_are_offered_after_it() {
    let now = Instant::now();
    let viewer = Viewer::new(|config| config, now);
    let config = config(&[ONE], None);
    let (session, first) = Session::offer(&config, &[address(SENDER)], now).expect("an offer");
    let mut call = Call {
        network: Network::new(session, viewer, now),
        streams: Vec::new(),
        sent: 0,
    };
    assert_eq!(call.set(&[ONE, SOUND]), None);
    let answer = call.network.viewer.answer(&first);
    call.network.session.handle_answer(&answer, &[], now);
    let second = call.offer().expect("another offer");
    assert_eq!(sections(&second).len(), 2);
    let is_refused = |event: &SessionEvent| matches!(event, SessionEvent::Refused(_));
    assert!(
        !call.network.events.iter().any(is_refused),
        "nobody was asked"
    );
    let answer = call.network.viewer.answer(&second);
    call.answer(&answer);
    call.network.run(Duration::from_secs(2));
    call.assert_all_sent();
}

#[test]
fn peer_that_rejects_what_is_added_goes_on_and_is_not_offered_it_again() {
    let mut call = Call::new(&[ONE]);
    let offer = call.set(&[ONE, SOUND]).expect("an offer");
    let answer = call.network.viewer.answer(&offer);
    let (video, audio) = answer.split_once("m=audio").expect("two sections");
    let group = video.lines().find(|line| line.starts_with("a=group:"));
    let group = group.expect("a group").to_owned();
    let alone = group.rsplit_once(' ').expect("two members").0.to_owned();
    let rejected = format!("{}m=audio{audio}", video.replace(&group, &alone));
    let rejected = rejected.replace("m=audio 9", "m=audio 0");
    call.answer(&rejected);
    let refused = SessionEvent::Refused(vec![SOUND.0]);
    assert!(
        call.network.events.contains(&refused),
        "{:?}",
        call.network.events
    );
    assert_eq!(call.sent(ONE.0), 10);
    let offer = call.set(&[ONE, SOUND, TWO]).expect("an offer");
    let rows = directions(&offer);
    assert_eq!(rows.len(), 3, "{offer}");
    assert!(offer.contains("m=audio 0 "), "{offer}");
}

#[test]
fn peer_that_does_not_answer_goes_on_with_what_it_has() {
    let mut call = Call::new(&[ONE]);
    call.set(&[ONE, TWO]).expect("an offer");
    call.network.run(Duration::from_secs(60));
    assert_eq!(call.end(), None);
    assert_eq!((call.sent(ONE.0), call.sent(TWO.0)), (10, 0));
}

#[test]
fn peer_that_offered_first_is_offered_what_is_added_and_not_what_it_left_out() {
    let config = config(&[ONE, SOUND], None);
    let mut call = Call::answering(&config, |changes| {
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    });
    assert_eq!((call.sent(ONE.0), call.sent(SOUND.0)), (10, 0));
    let offer = call.change(&[ONE, SOUND, TWO, H264]);
    let rows = pairs(&[("video", "sendonly"); 3]);
    assert_eq!(directions(&offer), rows);
    for (stream, sent) in [(ONE, 10), (TWO, 10), (H264, 10), (SOUND, 0)] {
        assert_eq!(call.sent(stream.0), sent, "{stream:?}");
    }
}

#[test]
fn section_of_the_peer_in_which_nothing_was_sent_is_used_for_what_is_added() {
    let config = config(&[ONE], None);
    let mut call = Call::answering(&config, |changes| {
        for kind in [MediaKind::Video, MediaKind::Audio, MediaKind::Video] {
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
    });
    let offer = call.change(&[ONE, SOUND, TWO, H264]);
    let kinds = ["video", "audio", "video", "video"];
    assert_eq!(
        directions(&offer),
        kinds.map(|kind| (kind.to_owned(), "sendonly".to_owned()))
    );
    call.assert_all_sent();
}

#[test]
fn of_offers_that_cross_that_of_the_end_that_offered_first_counts() {
    // Ours: the peer's is passed over, and the peer takes it back.
    let mut call = Call::new(&[ONE]);
    let ours = call.set(&[ONE, TWO]).expect("an offer");
    let mut changes = call.network.viewer.rtc.sdp_api();
    changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (theirs, pending) = changes.apply().expect("a change");
    let now = call.network.now;
    let theirs = theirs.to_sdp_string();
    call.network.session.handle_offer(&theirs, &[], now);
    drop(pending);
    let answer = call.network.viewer.answer(&ours);
    call.answer(&answer);
    call.assert_all_sent();

    // The peer's: ours is made again after it.
    let config = config(&[ONE], None);
    let mut call = Call::answering(&config, |changes| {
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    });
    call.set(&[ONE, TWO]).expect("an offer that is not taken");
    let mut changes = call.network.viewer.rtc.sdp_api();
    changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let (theirs, pending) = changes.apply().expect("a change");
    call.network.events.clear();
    let (theirs, now) = (theirs.to_sdp_string(), call.network.now);
    call.network.session.handle_offer(&theirs, &[], now);
    let again = call.offer().expect("ours again");
    let mut events = call.network.events.iter();
    let answer = events.find_map(|event| match event {
        SessionEvent::Answer(answer) => Some(answer.clone()),
        _ => None,
    });
    accept(
        &mut call.network.viewer,
        pending,
        &answer.expect("an answer"),
    );
    assert_eq!(sections(&again).len(), 3);
    let answer = call.network.viewer.answer(&again);
    call.answer(&answer);
    call.assert_all_sent();
}

#[test]
fn streams_that_come_and_go_all_the_time_use_sections_again() {
    let mut call = Call::new(&[SOUND]);
    let mut names = Vec::new();
    for number in 10..10 + 2 * u32::try_from(MAX_SECTIONS).expect("few") {
        let stream = (StreamId(number), Codec::Vp8);
        let offer = call.change(&[SOUND, stream]);
        names.push(sections(&offer).len());
        assert_eq!(
            (call.sent(stream.0), call.sent(SOUND.0)),
            (10, 10),
            "{number}"
        );
    }
    assert_eq!(names.iter().max(), Some(&MAX_SECTIONS));
}

#[test]
fn more_streams_than_sections_go_without_and_the_others_are_sent() {
    let all = (0..2 * u32::try_from(MAX_SECTIONS).expect("few")).map(|number| {
        let stream = StreamId(number);
        (stream, Codec::Vp8)
    });
    let all: Vec<_> = all.collect();
    let mut call = Call::new(&all[..1]);
    let offer = call.change(&all);
    assert_eq!(sections(&offer).len(), MAX_SECTIONS);
    assert_eq!(call.negotiated().len(), MAX_SECTIONS);
    assert_eq!(call.sent(all[0].0), 10);
    assert_eq!(call.sent(all[MAX_SECTIONS - 1].0), 10);
    assert_eq!(call.sent(all[MAX_SECTIONS].0), 0);
}

#[test]
fn session_that_receives_too_offers_what_is_added() {
    let config = SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: vec![StreamKind::Video],
        }),
        ..config(&[ONE], None)
    };
    let mut call = Call::with(&config, &[ONE]);
    let offer = call.change(&[ONE, SOUND, H264]);
    assert_eq!(
        directions(&offer),
        pairs(&[
            ("video", "sendonly"),
            ("video", "recvonly"),
            ("audio", "sendonly"),
            ("video", "sendonly")
        ])
    );
    call.assert_all_sent();
}
