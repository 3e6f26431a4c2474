//! A viewer that counts by headers: what it counts, and what the sender hears of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver as Events, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use wigwag_media::engine::{
    Engine, Negotiation, Publication, PublicationConfig, PublicationEvent, ViewerEvent,
};
use wigwag_media::ids::ViewerId;
use wigwag_media::session::{SessionConfig, SessionStatistics};
use wigwag_receiver::{
    Counting, ReceiverId, ReceiverSettings, Receivers, StreamKind, StreamReport, VideoCodec,
};

use crate::engine_stage::{PATIENCE, config, engine, frame, localhost, rendition};

const HEADERS: ReceiverSettings = ReceiverSettings {
    counting: Counting::Headers,
    video_codec: None,
};
const ONE: ViewerId = ViewerId(1);
const FRAME_INTERVAL: Duration = Duration::from_millis(5);

/// A publication with one viewer.
struct Watched {
    receivers: Receivers,
    receiver: ReceiverId,
    publication: Publication,
    events: Events<PublicationEvent>,
    estimated: bool,
    sent: u32,
    _engine: Engine,
}

impl Watched {
    /// Either side may make the offer.
    fn new(config: Arc<SessionConfig>, viewer_offers: bool) -> Self {
        let engine = engine(1, &[localhost()]);
        let (sender, events) = channel();
        let publication = engine.publish(PublicationConfig::default(), move |event| {
            sender.send(event).map_err(|unsent| unsent.0)
        });
        let receivers = Receivers::start().expect("a thread");
        let description = |events: &Events<PublicationEvent>| loop {
            let event = events.recv_timeout(PATIENCE).expect("a description");
            if let ViewerEvent::LocalDescription { sdp, .. } = event.kind {
                return sdp;
            }
        };
        let receiver = if viewer_offers {
            let (receiver, offer) = receivers
                .offer_with(&HEADERS, &[localhost()], &[StreamKind::Video])
                .expect("an offer");
            let preferred = Vec::new();
            let negotiation = Negotiation::Answer { offer, preferred };
            publication.add_viewer(ONE, config, negotiation);
            let answer = description(&events);
            let taken = receivers.accept_answer(receiver, &answer);
            taken.expect("an answer that can be used");
            receiver
        } else {
            publication.add_viewer(ONE, config, Negotiation::Offer);
            let offer = description(&events);
            let (receiver, answer) = receivers
                .answer_with(&HEADERS, &[localhost()], &offer)
                .expect("an answer");
            publication.accept_answer(ONE, answer, Vec::new());
            receiver
        };
        let mut watched = Self {
            receivers,
            receiver,
            publication,
            events,
            estimated: false,
            sent: 0,
            _engine: engine,
        };
        watched.wait("it connects", |watched, heard| {
            let report = watched.receivers.report(watched.receiver);
            let report = report.expect("it is there");
            assert_eq!(report.failure, None);
            report.connected_after.is_some() && heard.contains(&ViewerEvent::Connected)
        });
        watched
    }

    fn wait(&mut self, what: &str, condition: impl Fn(&Self, &[ViewerEvent]) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while !condition(self, &heard) {
            assert!(Instant::now() < end, "not in time: {what}");
            match self.events.recv_timeout(FRAME_INTERVAL) {
                Ok(event) => {
                    self.estimated |= matches!(event.kind, ViewerEvent::Estimate(_));
                    heard.push(event.kind);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the publication is gone"),
            }
        }
    }

    /// Sends a frame, and waits until it was counted.
    fn play(&mut self) {
        let frame = frame(rendition(0), self.sent, self.sent == 0);
        self.publication.send_frame(frame);
        self.sent += 1;
        let frames = u64::from(self.sent);
        self.wait("a frame", |watched, _| {
            watched.video().is_some_and(|video| video.frames >= frames)
        });
    }

    fn play_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < end, "not in time: {what}");
            self.play();
        }
    }

    fn video(&self) -> Option<StreamReport> {
        let report = self.receivers.report(self.receiver).expect("it is there");
        report.streams.into_iter().next()
    }

    fn statistics(&self) -> SessionStatistics {
        let all = self.publication.statistics(PATIENCE);
        let (_, statistics) = all.into_iter().next().expect("one viewer");
        statistics
    }
}

#[test]
fn every_frame_is_counted_and_the_sender_hears_of_it() {
    for viewer_offers in [false, true] {
        let mut watched = Watched::new(config(), viewer_offers);
        watched.play_until("a report of loss and of the time on the way", |watched| {
            let statistics = watched.statistics();
            statistics.fraction_lost.is_some() && statistics.round_trip.is_some()
        });
        let statistics = watched.statistics();
        assert_eq!(statistics.fraction_lost, Some(0.0));
        assert!(statistics.round_trip < Some(Duration::from_secs(1)));
        assert_eq!(statistics.nacks, 0);
        let video = watched.video().expect("it came");
        assert_eq!(video.kind, StreamKind::Video);
        assert_eq!((video.missing, video.key_frames), (0, 0));
        assert_eq!(video.packets, 8 * video.frames);
        assert_eq!(video.bytes, 7_300 * video.frames);
        assert!(video.first_frame_after < video.last_frame_after);
    }
}

#[test]
fn what_arrives_when_is_reported_so_that_the_sender_can_estimate() {
    let mut config = (*config()).clone();
    config.start_bitrate = Some(20_000_000);
    let mut watched = Watched::new(Arc::new(config), false);
    let rates = (2_000_000, 4_000_000);
    watched.publication.set_rates(ONE, rates.0, rates.1);
    watched.play_until("an estimate", |watched| watched.estimated);
}

#[test]
fn it_can_ask_for_key_frames() {
    let mut watched = Watched::new(config(), false);
    watched.play();
    let asked = watched.receivers.ask_for_key_frames(watched.receiver);
    asked.expect("it is there");
    // The sender takes its counters a few times a second.
    watched.wait("the request is counted", |watched, _| {
        watched.statistics().key_frames_asked == 1
    });
}

#[test]
fn a_codec_that_is_not_there_is_not_answered() {
    let engine = engine(1, &[localhost()]);
    let (sender, events) = channel();
    let publication = engine.publish(PublicationConfig::default(), move |event| {
        sender.send(event).map_err(|unsent| unsent.0)
    });
    publication.add_viewer(ONE, config(), Negotiation::Offer);
    let offer = loop {
        let event = events.recv_timeout(PATIENCE).expect("an offer");
        if let ViewerEvent::LocalDescription { sdp, .. } = event.kind {
            break sdp;
        }
    };
    let receivers = Receivers::start().expect("a thread");
    let settings = ReceiverSettings {
        video_codec: Some(VideoCodec::H264),
        ..HEADERS
    };
    let answered = receivers.answer_with(&settings, &[localhost()], &offer);
    let has_vp8 = |(_, answer): (ReceiverId, String)| answer.contains("VP8");
    assert!(!answered.is_ok_and(has_vp8));
}
