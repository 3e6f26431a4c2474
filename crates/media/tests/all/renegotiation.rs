//! Further offers of a plain str0m peer, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpApi, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::RtpWrite;
use wigwag_media::ids::{StreamId, StreamKind};
use wigwag_media::session::{
    Codec, EndReason, PeerError, ReceiveConfig, Session, SessionConfig, SessionError, SessionEvent,
};

use crate::virtual_network::{Network, SENDER, Viewer, address, config, frame};

const FRAME: Duration = Duration::from_millis(20);
const VIDEO: StreamId = StreamId(0);
const AUDIO: StreamId = StreamId(1);
/// str0m's payload types.
const VP8: u8 = 96;
const OPUS: u8 = 111;

fn receiving() -> SessionConfig {
    SessionConfig {
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8, Codec::Opus],
            offered: Vec::new(),
        }),
        ..config(&[], None)
    }
}

fn sending() -> SessionConfig {
    config(&[(VIDEO, Codec::Vp8), (AUDIO, Codec::Opus)], None)
}

/// A session and a peer that offers again and again.
struct Call {
    network: Network,
    sent: u64,
}

/// Has the peer offer what is changed, if anything is.
fn offer<T>(
    peer: &mut Viewer,
    change: impl FnOnce(&mut SdpApi<'_>) -> T,
) -> (T, String, SdpPendingOffer) {
    let mut changes = peer.rtc.sdp_api();
    let changed = change(&mut changes);
    let (offer, pending) = changes.apply().expect("a change");
    (changed, offer.to_sdp_string(), pending)
}

/// A description without the lines that hold a text.
fn without(text: &str, omitted: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains(omitted));
    lines.map(|line| format!("{line}\r\n")).collect()
}

impl Call {
    fn new<T>(config: &SessionConfig, change: impl FnOnce(&mut SdpApi<'_>) -> T) -> (Self, T) {
        Self::with_offer(config, str::to_owned, change)
    }

    /// A call of which the offer is edited.
    fn with_offer<T>(
        config: &SessionConfig,
        edit: impl FnOnce(&str) -> String,
        change: impl FnOnce(&mut SdpApi<'_>) -> T,
    ) -> (Self, T) {
        let now = Instant::now();
        let mut peer = Viewer::new(|config| config, now);
        let (changed, text, pending) = offer(&mut peer, change);
        let text = edit(&text);
        let answered = Session::answer(config, &text, &[], &[address(SENDER)], now);
        let (session, answer) = answered.expect("an answer");
        let mut network = Network::new(session, peer, now);
        accept(&mut network.viewer, pending, &answer);
        network.run(Duration::from_secs(2));
        assert!(network.events.contains(&SessionEvent::Connected));
        (Self { network, sent: 0 }, changed)
    }

    /// The peer offers again, and takes the answer.
    fn offer<T>(&mut self, change: impl FnOnce(&mut SdpApi<'_>) -> T) -> (T, String) {
        let (changed, text, pending) = offer(&mut self.network.viewer, change);
        let answer = self.answer_to(&text);
        accept(&mut self.network.viewer, pending, &answer);
        self.network.run(Duration::from_millis(500));
        assert_eq!(self.end(), None);
        (changed, answer)
    }

    /// The answer to an offer, which the peer has not got yet.
    fn answer_to(&mut self, offer: &str) -> String {
        self.network.events.clear();
        let now = self.network.now;
        self.network.session.handle_offer(offer, &[], now);
        self.network.run(FRAME);
        let mut events = self.network.events.iter();
        let answer = events.find_map(|event| match event {
            SessionEvent::Answer(answer) => Some(answer.clone()),
            _ => None,
        });
        answer.unwrap_or_else(|| panic!("{:?}", self.network.events))
    }

    /// The tracks that were reported last.
    fn tracks(&self) -> Vec<(String, StreamKind)> {
        let tracks = self
            .network
            .events
            .iter()
            .rev()
            .find_map(|event| match event {
                SessionEvent::RemoteTracks(tracks) => Some(tracks),
                _ => None,
            });
        let tracks = tracks.into_iter().flatten();
        tracks
            .map(|track| (track.mid.to_string(), track.kind))
            .collect()
    }

    /// How many of ten packets that the peer sends in a section come, in that section.
    fn received(&mut self, mid: Mid, payload_type: u8) -> usize {
        let came = self.sections_of_received(mid, payload_type);
        came.iter().filter(|section| ***section == *mid).count()
    }

    /// The section of each packet that comes while the peer sends ten in one.
    fn sections_of_received(&mut self, mid: Mid, payload_type: u8) -> Vec<Arc<str>> {
        let mut came = Vec::new();
        for _ in 0..10 {
            let (number, now) = (self.sent, self.network.now);
            self.sent += 1;
            let time = u32::try_from(number * 3_000).expect("not that many");
            let packet = RtpWrite::new(payload_type.into(), number.into(), time, now, vec![7; 90]);
            let mut direct = self.network.viewer.rtc.direct_api();
            if let Some(stream) = direct.stream_tx_by_mid(mid, None) {
                stream.write_rtp(packet.marker(true).nackable(true));
            }
            self.network.run(FRAME);
            let packets = std::iter::from_fn(|| self.network.session.poll_packet());
            came.extend(packets.map(|packet| packet.mid));
        }
        self.network.run(FRAME * 5);
        let packets = std::iter::from_fn(|| self.network.session.poll_packet());
        came.extend(packets.map(|packet| packet.mid));
        came
    }

    /// How many packets come to the peer of ten frames of a stream.
    fn sent(&mut self, stream: StreamId) -> usize {
        let before = self.network.viewer.packets.len();
        for _ in 0..10 {
            self.sent += 1;
            let time = u32::try_from(self.sent * 1_800).expect("not that many");
            let frame = frame(stream, time, self.network.now, true, 1);
            self.network.session.send_frame(&frame, self.network.now);
            self.network.run(FRAME);
        }
        self.network.run(FRAME * 5);
        self.network.viewer.packets.len() - before
    }

    fn end(&self) -> Option<&EndReason> {
        self.network.events.iter().find_map(|event| match event {
            SessionEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }
}

fn accept(peer: &mut Viewer, pending: SdpPendingOffer, answer: &str) {
    let answer = SdpAnswer::from_sdp_string(answer).expect("an answer");
    let taken = peer.rtc.sdp_api().accept_answer(pending, answer);
    taken.expect("it is taken");
}

fn add(changes: &mut SdpApi<'_>, kind: MediaKind, direction: Direction) -> Mid {
    changes.add_media(kind, direction, None, None, None)
}

fn version(description: &str) -> Option<u64> {
    let line = description.lines().find(|line| line.starts_with("o="))?;
    line.split(' ').nth(2)?.parse().ok()
}

#[test]
fn tracks_that_a_peer_adds_are_received_and_those_before_go_on() {
    let (mut call, first) = Call::new(&receiving(), |changes| {
        add(changes, MediaKind::Video, Direction::SendOnly)
    });
    assert_eq!(call.received(first, VP8), 10);
    let ((second, audio), answer) = call.offer(|changes| {
        let second = add(changes, MediaKind::Video, Direction::SendOnly);
        (second, add(changes, MediaKind::Audio, Direction::SendOnly))
    });
    assert_eq!(version(&answer), Some(3));
    assert_eq!(answer.matches("a=recvonly").count(), 3, "{answer}");
    let expected = [
        (first, StreamKind::Video),
        (second, StreamKind::Video),
        (audio, StreamKind::Audio),
    ];
    let expected = expected.map(|(mid, kind)| (mid.to_string(), kind));
    assert_eq!(call.tracks(), expected);
    for (mid, payload_type) in [(audio, OPUS), (second, VP8), (first, VP8)] {
        assert_eq!(call.received(mid, payload_type), 10, "{mid}");
    }
}

#[test]
fn track_that_a_peer_stops_is_gone_until_it_sends_again() {
    let (mut call, (video, audio)) = Call::new(&receiving(), |changes| {
        let video = add(changes, MediaKind::Video, Direction::SendOnly);
        (video, add(changes, MediaKind::Audio, Direction::SendOnly))
    });
    assert_eq!(call.received(video, VP8), 10);
    let ((), answer) = call.offer(|changes| changes.set_direction(video, Direction::Inactive));
    assert!(answer.contains("a=inactive"), "{answer}");
    assert_eq!(call.tracks(), [(audio.to_string(), StreamKind::Audio)]);
    assert_eq!(call.received(audio, OPUS), 10);
    call.offer(|changes| changes.set_direction(video, Direction::SendOnly));
    assert_eq!(call.tracks().len(), 2);
    assert_eq!(call.received(video, VP8), 10);
}

#[test]
fn packets_of_a_track_that_stopped_are_not_taken_for_another_track() {
    let offers = |text: &str| without(text, "sdes:mid");
    let (mut call, (first, second)) = Call::with_offer(&receiving(), offers, |changes| {
        let first = add(changes, MediaKind::Video, Direction::SendOnly);
        (first, add(changes, MediaKind::Video, Direction::SendOnly))
    });
    assert_eq!(call.received(first, VP8), 10, "named by its source");
    assert_eq!(call.received(second, VP8), 10);
    let (_, text, pending) = offer(&mut call.network.viewer, |changes| {
        changes.set_direction(first, Direction::Inactive);
    });
    let answer = call.answer_to(&offers(&text));
    assert_eq!(call.sections_of_received(first, VP8), []);
    assert_eq!(call.received(second, VP8), 10);
    accept(&mut call.network.viewer, pending, &answer);

    // It goes on without naming its sources again.
    let (_, text, pending) = offer(&mut call.network.viewer, |changes| {
        changes.set_direction(first, Direction::SendOnly);
    });
    let answer = call.answer_to(&without(&offers(&text), "a=ssrc"));
    accept(&mut call.network.viewer, pending, &answer);
    // What was not taken meanwhile is asked for.
    assert!(call.received(first, VP8) >= 10);
    assert_eq!(call.received(second, VP8), 10);
}

#[test]
fn media_that_is_added_behind_data_channels_is_received() {
    let (mut call, first) = Call::new(&receiving(), |changes| {
        let video = add(changes, MediaKind::Video, Direction::SendOnly);
        changes.add_channel("control".to_owned());
        video
    });
    assert_eq!(call.received(first, VP8), 10);
    for _ in 0..2 {
        let (second, answer) =
            call.offer(|changes| add(changes, MediaKind::Video, Direction::SendOnly));
        assert!(answer.contains("m=application 9 "), "{answer}");
        assert_eq!(call.received(second, VP8), 10);
    }
    assert_eq!(call.received(first, VP8), 10);
}

#[test]
fn stream_that_a_viewer_stops_is_not_sent_until_it_wants_it_again() {
    let (mut call, (video, _)) = Call::new(&sending(), |changes| {
        let video = add(changes, MediaKind::Video, Direction::RecvOnly);
        (video, add(changes, MediaKind::Audio, Direction::RecvOnly))
    });
    assert_eq!((call.sent(VIDEO), call.sent(AUDIO)), (10, 10));
    call.offer(|changes| changes.set_direction(video, Direction::Inactive));
    assert_eq!((call.sent(VIDEO), call.sent(AUDIO)), (0, 10));
    call.offer(|changes| changes.set_direction(video, Direction::RecvOnly));
    assert_eq!((call.sent(VIDEO), call.sent(AUDIO)), (10, 10));
}

#[test]
fn offer_that_has_ice_begin_again_is_answered_with_other_credentials() {
    let (mut call, video) = Call::new(&receiving(), |changes| {
        add(changes, MediaKind::Video, Direction::SendOnly)
    });
    assert_eq!(call.received(video, VP8), 10);
    let before = call.network.session.local_ufrag();
    let (_, answer) = call.offer(|changes| changes.ice_restart(true));
    let after = call.network.session.local_ufrag();
    assert_ne!(before, after);
    assert!(
        answer.contains(&format!("a=ice-ufrag:{after}\r\n")),
        "{answer}"
    );
    assert_eq!(call.received(video, VP8), 10);
    call.network.run(Duration::from_secs(15));
    assert_eq!(call.end(), None);
    assert_eq!(call.received(video, VP8), 10);
}

#[test]
fn offers_that_do_not_go_on_from_those_before_end_the_session() {
    let edits: [fn(&str) -> String; 5] = [
        |offer| offer.replace("m=video", "m=audio"),
        |offer| offer.replace("a=mid:", "a=mid:x"),
        |offer| offer.split("m=").next().unwrap_or_default().to_owned(),
        |offer| offer.replace("a=ice-pwd:", "a=nothing:"),
        |_| "nonsense".to_owned(),
    ];
    for edit in edits {
        let (mut call, _) = Call::new(&receiving(), |changes| {
            add(changes, MediaKind::Video, Direction::SendOnly)
        });
        let (_, text, _) = offer(&mut call.network.viewer, |changes| {
            add(changes, MediaKind::Video, Direction::SendOnly)
        });
        let (edited, now) = (edit(&text), call.network.now);
        call.network.session.handle_offer(&edited, &[], now);
        call.network.run(FRAME);
        let reason = call.end().expect("it is over");
        assert!(
            matches!(
                reason,
                EndReason::Failed(SessionError::Peer(
                    PeerError::UnusableDescription | PeerError::MalformedDescription
                ))
            ),
            "{reason:?}"
        );
    }
}
