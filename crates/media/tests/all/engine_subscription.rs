//! A peer that sends to an engine, over the loopback interface: a publication of another engine of ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use wigwag_media::engine::{
    Engine, MAX_WAITING_PACKETS, Negotiation, Publication, PublicationConfig, PublicationEvent,
    Subscription, SubscriptionEvent, ViewerEvent,
};
use wigwag_media::ids::{StreamKind, ViewerId};
use wigwag_media::session::{Codec, EndReason, ReceiveConfig, ReceivedPacket, SessionConfig};

use crate::engine_stage::{PACKETS, PATIENCE, config, engine, frame, localhost, rendition};

const VIEWER: ViewerId = ViewerId(0);

/// A publication, and a subscription to it.
struct Link {
    publication: Publication,
    published: Receiver<PublicationEvent>,
    subscription: Subscription,
    subscribed: Receiver<SubscriptionEvent>,
    /// What happened to the subscription, in order.
    happened: Vec<SubscriptionEvent>,
    key_frames_wanted: usize,
    is_connected: bool,
    frames: u32,
    _engines: [Engine; 2],
}

fn receiving(offered: &[StreamKind]) -> Arc<SessionConfig> {
    Arc::new(SessionConfig {
        streams: Vec::new(),
        receive: Some(ReceiveConfig {
            codecs: vec![Codec::Vp8],
            offered: offered.to_vec(),
        }),
        ..SessionConfig::clone(&config())
    })
}

impl Link {
    /// The subscription answers, or it offers.
    fn connected(offers: bool) -> Self {
        let engines = [(); 2].map(|()| engine(1, &[localhost()]));
        let (sender, published) = channel();
        let publication = engines[0].publish(PublicationConfig::default(), move |event| {
            sender.send(event).expect("somebody listens");
            Ok(())
        });
        let (sender, subscribed) = channel();
        let take = move |event| {
            let _ = sender.send(event);
            Ok(())
        };
        let negotiation = match offers {
            true => Negotiation::Offer,
            false => {
                publication.add_viewer(VIEWER, config(), Negotiation::Offer);
                let event = published.recv_timeout(PATIENCE).expect("an offer");
                let ViewerEvent::LocalDescription { sdp, .. } = event.kind else {
                    panic!("{event:?}");
                };
                Negotiation::Answer {
                    offer: sdp,
                    preferred: Vec::new(),
                }
            }
        };
        let kinds = [StreamKind::Video];
        let config = receiving(if offers { &kinds } else { &[] });
        let publishing = PublicationConfig::default();
        let subscription = engines[1].subscribe(publishing, config, negotiation, take);
        let mut link = Self {
            publication,
            published,
            subscription,
            subscribed,
            happened: Vec::new(),
            key_frames_wanted: 0,
            is_connected: false,
            frames: 0,
            _engines: engines,
        };
        link.wait(|link| {
            link.is_connected && link.happened.contains(&SubscriptionEvent::Connected)
        });
        link
    }

    /// Passes descriptions until something holds.
    fn wait(&mut self, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{:?}", self.happened);
            while let Ok(event) = self.subscribed.try_recv() {
                if let SubscriptionEvent::LocalDescription { sdp, is_answer } = &event {
                    match is_answer {
                        true => self
                            .publication
                            .accept_answer(VIEWER, sdp.clone(), Vec::new()),
                        false => {
                            let negotiation = Negotiation::Answer {
                                offer: sdp.clone(),
                                preferred: Vec::new(),
                            };
                            self.publication.add_viewer(VIEWER, config(), negotiation);
                        }
                    }
                }
                self.happened.push(event);
            }
            while let Ok(event) = self.published.try_recv() {
                match event.kind {
                    ViewerEvent::LocalDescription {
                        sdp,
                        is_answer: true,
                    } => self.subscription.handle_answer(sdp),
                    ViewerEvent::Connected => self.is_connected = true,
                    ViewerEvent::KeyFrameWanted(_) => self.key_frames_wanted += 1,
                    _ => {}
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a frame and returns its packets as they come.
    fn play(&mut self) -> Vec<ReceivedPacket> {
        let number = self.frames;
        self.frames += 1;
        self.publication
            .send_frame(frame(rendition(0), number, number == 0));
        let next = || self.subscription.next_packet(PATIENCE);
        (0..PACKETS).filter_map(|_| next()).collect()
    }

    fn end(&self) -> Option<&EndReason> {
        self.happened.iter().find_map(|event| match event {
            SubscriptionEvent::Ended(reason) => Some(reason),
            _ => None,
        })
    }
}

#[test]
fn subscription_gets_every_packet_whichever_end_offers() {
    for offers in [false, true] {
        let mut link = Link::connected(offers);
        let tracks = link.happened.iter().find_map(|event| match event {
            SubscriptionEvent::RemoteTracks(tracks) => Some(tracks.clone()),
            _ => None,
        });
        let tracks = tracks.expect("they are reported");
        assert_eq!(tracks.len(), 1);
        assert_eq!(tracks[0].kind, StreamKind::Video);
        let came: Vec<_> = (0..30).flat_map(|_| link.play()).collect();
        assert_eq!(came.len(), 30 * PACKETS);
        let sequences: BTreeSet<_> = came.iter().map(|packet| packet.sequence).collect();
        assert_eq!(sequences.len(), came.len());
        assert!(came.iter().all(|packet| packet.mid == tracks[0].mid));
        let frames = came.iter().filter(|packet| packet.marker).count();
        assert_eq!(frames, 30);
        let statistics = link.subscription.statistics(PATIENCE).expect("it is there");
        assert!(statistics.datagrams_received >= came.len() as u64);
        assert_eq!(link.subscription.packets_dropped(), 0);
    }
}

#[test]
fn key_frame_that_a_subscription_requests_is_asked_of_the_publication() {
    let mut link = Link::connected(false);
    link.play();
    link.wait(|link| link.key_frames_wanted > 0);
    let before = link.key_frames_wanted;
    let mid = link.play()[0].mid.clone();
    link.subscription.request_key_frame(&mid);
    link.wait(|link| link.key_frames_wanted > before);
}

#[test]
fn subscription_ends_when_the_publication_closes_and_the_other_way_round() {
    let mut link = Link::connected(false);
    link.publication.close(PATIENCE);
    link.wait(|link| link.end().is_some());
    assert_eq!(link.end(), Some(&EndReason::ClosedByViewer));
    assert!(link.subscription.next_packet(PATIENCE).is_none());

    let mut link = Link::connected(true);
    link.subscription.close(PATIENCE);
    link.wait(|link| link.end().is_some());
    assert_eq!(link.end(), Some(&EndReason::Closed));
}

#[test]
fn packets_that_nobody_takes_are_dropped_beyond_the_limit() {
    let mut link = Link::connected(false);
    let frames = MAX_WAITING_PACKETS / PACKETS + 20;
    link.play();
    for number in 0..frames {
        let number = u32::try_from(number).expect("not that many") + link.frames;
        let before = link.subscription.statistics(PATIENCE).expect("it is there");
        link.publication
            .send_frame(frame(rendition(0), number, false));
        // What is sent faster than it is taken from the socket would be lost there.
        let arrived = before.datagrams_received + PACKETS as u64;
        let end = Instant::now() + PATIENCE;
        while link
            .subscription
            .statistics(PATIENCE)
            .expect("there")
            .datagrams_received
            < arrived
        {
            assert!(Instant::now() < end, "they come");
        }
    }
    assert!(link.subscription.packets_dropped() > 0);
    let waiting = std::iter::from_fn(|| link.subscription.next_packet(Duration::ZERO));
    assert_eq!(waiting.count(), MAX_WAITING_PACKETS);
    assert_eq!(link.end(), None);
}
