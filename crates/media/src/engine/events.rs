//! What the owner of a publication hears of its viewers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::session::{EndReason, ReceivedPacket, RemoteTrack};

/// A rise of an estimate is passed on at most this often.
pub const ESTIMATE_INTERVAL: Duration = Duration::from_millis(100);

/// A rise of an estimate is passed on only if it is by more than this share.
const ESTIMATE_CHANGE_PERCENT: u64 = 2;

/// Events of one viewer that wait for a full receiver. A viewer has a description, an agreement, a
/// connection and an end; only candidates could be more, and those are left out then.
pub const MAX_WAITING_EVENTS: usize = 32;

/// Something about one viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationEvent {
    /// The viewer.
    pub viewer: ViewerId,
    /// What happened.
    pub kind: ViewerEvent,
}

/// What the owner of a publication should know of a viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ViewerEvent {
    /// To be sent to the viewer.
    LocalDescription {
        /// The description.
        sdp: String,
        /// Whether it is an answer; else an offer.
        is_answer: bool,
    },
    /// To be sent to the viewer: a candidate that was found after the description.
    LocalCandidate {
        /// As an attribute's text.
        candidate: String,
        /// The place of the section that it is for.
        m_line: u32,
    },
    /// The codecs that the viewer takes of each stream of which it takes any; the first was agreed on.
    Negotiated(Vec<(StreamId, Vec<u32>)>),
    /// Streams that the viewer takes nothing of, though it takes others.
    Refused(Vec<StreamId>),
    /// What the peer sends.
    RemoteTracks(Vec<RemoteTrack>),
    /// A connectivity check of the viewer came, or the answer to one: it has our description, and reaches us.
    Checked,
    /// Media may flow.
    Connected,
    /// The viewer cannot go on with this stream without a key frame.
    KeyFrameWanted(StreamId),
    /// The viewer is sent this rendition from now on, in the place of another of its stream.
    Switched(RenditionId),
    /// What the path to the viewer can take, all streams together.
    Estimate(Bitrate),
    /// The viewer is gone. Nothing follows.
    Ended(EndReason),
}

impl ViewerEvent {
    /// Whether it comes again if it is lost.
    fn comes_again(&self) -> bool {
        matches!(self, Self::Estimate(_) | Self::KeyFrameWanted(_))
    }

    /// Whether an event before is of no interest any more.
    fn replaces(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Switched(rendition), Self::Switched(before)) => {
                rendition.stream == before.stream
            }
            (Self::Negotiated(_), Self::Negotiated(_))
            | (Self::Refused(_), Self::Refused(_))
            | (Self::RemoteTracks(_), Self::RemoteTracks(_)) => true,
            _ => false,
        }
    }
}

/// The events of one viewer on their way, in order.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    waiting: VecDeque<ViewerEvent>,
}

/// Takes an event, or gives it back if there is no room for it now.
pub(super) type Listener =
    dyn Fn(PublicationEvent) -> Result<(), PublicationEvent> + Send + Sync + 'static;

/// Takes packets that a peer sends, and drops those for which it has no room.
pub(super) type PacketListener = dyn Fn(ReceivedPacket) + Send + Sync + 'static;

impl EventQueue {
    /// Tells an event, after those that wait. What comes again does not wait.
    pub(super) fn emit(&mut self, viewer: ViewerId, kind: ViewerEvent, listener: &Listener) {
        if kind.comes_again() {
            if self.waiting.is_empty() {
                // One that finds no room is as good as never sent.
                let _ = listener(PublicationEvent { viewer, kind });
            }
            return;
        }
        let is_full = self.waiting.len() >= MAX_WAITING_EVENTS;
        if is_full && matches!(kind, ViewerEvent::LocalCandidate { .. }) {
            return;
        }
        self.waiting.retain(|waiting| !kind.replaces(waiting));
        self.waiting.push_back(kind);
        self.retry(viewer, listener);
    }

    /// Tells what waits; true if nothing waits any more.
    pub(super) fn retry(&mut self, viewer: ViewerId, listener: &Listener) -> bool {
        while let Some(kind) = self.waiting.pop_front() {
            if let Err(refused) = listener(PublicationEvent { viewer, kind }) {
                self.waiting.push_front(refused.kind);
                return false;
            }
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Passes on those estimates of one viewer that are worth it: every fall at once, a rise when it matters.
#[derive(Debug, Default)]
pub(super) struct EstimateFilter {
    emitted: Option<(Bitrate, Instant)>,
    held_back: Option<Bitrate>,
}

impl EstimateFilter {
    /// Takes an estimate; returns what is to be emitted now.
    pub(super) fn take(&mut self, estimate: Bitrate, now: Instant) -> Option<Bitrate> {
        self.held_back = None;
        let Some((emitted, _)) = self.emitted else {
            return self.emit(estimate, now);
        };
        if estimate < emitted {
            return self.emit(estimate, now);
        }
        if estimate - emitted > emitted / 100 * ESTIMATE_CHANGE_PERCENT {
            self.held_back = Some(estimate);
            return self.due(now);
        }
        None
    }

    /// What was held back and is to be emitted now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Bitrate> {
        if self.deadline()? > now {
            return None;
        }
        let estimate = self.held_back.take()?;
        self.emit(estimate, now)
    }

    /// When to call [`due`](Self::due).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held_back?;
        self.emitted.map(|(_, at)| at + ESTIMATE_INTERVAL)
    }

    fn emit(&mut self, estimate: Bitrate, now: Instant) -> Option<Bitrate> {
        self.emitted = Some((estimate, now));
        Some(estimate)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const VIEWER: ViewerId = ViewerId(1);

    /// Tells the events to a receiver that has room for so many, and returns what waits and what it got.
    fn emit(room: usize, events: Vec<ViewerEvent>) -> (EventQueue, Vec<ViewerEvent>) {
        let got = Mutex::new(Vec::new());
        let got = std::sync::Arc::new(got);
        let mut queue = EventQueue::default();
        let listener = listener(&got, room);
        for event in events {
            queue.emit(VIEWER, event, &*listener);
        }
        let got = got.lock().expect("nobody panicked").clone();
        (queue, got)
    }

    fn listener(got: &std::sync::Arc<Mutex<Vec<ViewerEvent>>>, room: usize) -> Box<Listener> {
        let got = std::sync::Arc::clone(got);
        Box::new(move |event| {
            let mut got = got.lock().expect("nobody panicked");
            if got.len() >= room {
                return Err(event);
            }
            got.push(event.kind);
            Ok(())
        })
    }

    #[test]
    fn what_comes_again_does_not_wait_and_the_rest_is_kept_in_order() {
        let (mut queue, got) = emit(
            1,
            vec![
                ViewerEvent::Estimate(1),
                ViewerEvent::Connected,
                ViewerEvent::Estimate(2),
                ViewerEvent::KeyFrameWanted(StreamId(0)),
                ViewerEvent::Ended(EndReason::Closed),
            ],
        );
        assert_eq!(got, [ViewerEvent::Estimate(1)]);
        assert!(!queue.is_empty());
        let later = std::sync::Arc::new(Mutex::new(Vec::new()));
        assert!(queue.retry(VIEWER, &*listener(&later, 9)));
        let later = later.lock().expect("nobody panicked");
        let kept = [
            ViewerEvent::Connected,
            ViewerEvent::Ended(EndReason::Closed),
        ];
        assert_eq!(*later, kept);
    }

    #[test]
    fn what_waits_is_bounded_and_the_end_is_never_left_out() {
        let candidate = ViewerEvent::LocalCandidate {
            candidate: String::new(),
            m_line: 0,
        };
        let mut events = vec![candidate; 1_000];
        events.push(ViewerEvent::Ended(EndReason::Closed));
        let (queue, _) = emit(0, events);
        assert_eq!(queue.waiting.len(), MAX_WAITING_EVENTS + 1);
        let end = ViewerEvent::Ended(EndReason::Closed);
        assert_eq!(queue.waiting.back(), Some(&end));
    }

    #[test]
    fn of_changes_that_wait_the_latest_of_each_stream_counts() {
        let switched = |stream, codec| {
            ViewerEvent::Switched(RenditionId {
                stream: StreamId(stream),
                codec,
                level: 0,
            })
        };
        let changes = (0..1_000).map(|number| switched(number % 2, number));
        let (queue, _) = emit(0, changes.collect());
        assert_eq!(queue.waiting, [switched(0, 998), switched(1, 999)]);
    }

    #[test]
    fn a_fall_is_told_at_once_and_a_rise_if_it_matters() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut filter = EstimateFilter::default();
        assert_eq!(filter.take(1_000_000, now), Some(1_000_000));
        assert_eq!(filter.take(999_999, now + ms(1)), Some(999_999));
        assert_eq!(filter.take(1_010_000, now + ms(500)), None, "1 % more");
        assert_eq!(filter.deadline(), None);
        assert_eq!(filter.take(1_100_000, now + ms(501)), Some(1_100_000));
        assert_eq!(filter.take(1_200_000, now + ms(510)), None, "too soon");
        assert_eq!(filter.deadline(), Some(now + ms(601)));
        assert_eq!(filter.due(now + ms(600)), None);
        assert_eq!(filter.due(now + ms(601)), Some(1_200_000));
        assert_eq!(filter.due(now + ms(900)), None, "emitted once");
        assert_eq!(filter.take(1_300_000, now + ms(650)), None);
        assert_eq!(filter.take(900_000, now + ms(651)), Some(900_000));
        assert_eq!(filter.due(now + ms(900)), None, "what fell since is over");
    }
}
