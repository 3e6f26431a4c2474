//! What a peer sends to us: the handle that its owner holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::events::{PublicationEvent, ViewerEvent};
use super::publication::{Publication, PublicationConfig};
use super::{Engine, Negotiation};
use crate::ids::ViewerId;
use crate::session::{EndReason, ReceivedPacket, RemoteTrack, SessionConfig, SessionStatistics};

/// Packets that wait for the owner of a subscription: those of a second and a half at 20 Mbit/s. Beyond that the newest are
/// dropped.
pub const MAX_WAITING_PACKETS: usize = 4_096;

/// The one peer of a subscription.
const PEER: ViewerId = ViewerId(0);

/// What happened to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEvent {
    /// To be sent to the peer.
    LocalDescription {
        /// The description.
        sdp: String,
        /// Whether it is an answer; else an offer.
        is_answer: bool,
    },
    /// To be sent to the peer: a candidate that was found after the description.
    LocalCandidate {
        /// As an attribute's text.
        candidate: String,
        /// The place of the section that it is for.
        m_line: u32,
    },
    /// What the peer sends.
    RemoteTracks(Vec<RemoteTrack>),
    /// Media may flow.
    Connected,
    /// The subscription is over. Nothing follows.
    Ended(EndReason),
}

/// What one peer sends to us. Closed when it is dropped.
///
/// Packets wait in a queue of [`MAX_WAITING_PACKETS`], in the order in which they came: neither sorted nor held back for
/// those that are missing.
pub struct Subscription {
    publication: Publication,
    packets: Mutex<Receiver<ReceivedPacket>>,
    dropped: Arc<AtomicU64>,
}

impl Engine {
    /// Begins to receive from a peer, as the configuration's [`receive`](SessionConfig::receive) says. `events` takes what
    /// happens: it returns an event for which it has no room now, and is offered it again a little later.
    pub fn subscribe(
        &self,
        config: PublicationConfig,
        session: Arc<SessionConfig>,
        negotiation: Negotiation,
        events: impl Fn(SubscriptionEvent) -> Result<(), SubscriptionEvent> + Send + Sync + 'static,
    ) -> Subscription {
        let (sender, packets) = sync_channel(MAX_WAITING_PACKETS);
        let sender = Arc::new(Mutex::new(Some(sender)));
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = queue(Arc::clone(&sender), Arc::clone(&dropped));
        let events = pass_on(events, sender);
        let publication = self.publish_and_receive(config, events, Some(Box::new(queue)));
        publication.add_viewer(PEER, session, negotiation);
        Subscription {
            publication,
            packets: Mutex::new(packets),
            dropped,
        }
    }
}

impl Subscription {
    /// Takes the peer's answer (SDP) to our offer.
    pub fn handle_answer(&self, sdp: String) {
        self.publication.accept_answer(PEER, sdp, Vec::new());
    }

    /// Takes a further offer (SDP) of the peer; the answer comes as
    /// [`LocalDescription`](SubscriptionEvent::LocalDescription).
    pub fn handle_offer(&self, sdp: String) {
        self.publication.handle_offer(PEER, sdp, Vec::new());
    }

    /// Takes a candidate of the peer, as an attribute's text. The empty text is the end of candidates.
    pub fn handle_candidate(&self, candidate: String) {
        self.publication.add_candidate(PEER, candidate);
    }

    /// Asks the peer for a key frame of a track (PLI), which is named by its section.
    pub fn request_key_frame(&self, mid: &Arc<str>) {
        self.publication.request_key_frame(PEER, Arc::clone(mid));
    }

    /// The next packet, if one comes within this time. Once the subscription is over and the queue empty, none at once.
    pub fn next_packet(&self, wait_at_most: Duration) -> Option<ReceivedPacket> {
        let packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        packets.recv_timeout(wait_at_most).ok()
    }

    /// Packets that were dropped because the queue was full.
    pub fn packets_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What was counted; none if it is over, or the engine does not answer in time.
    pub fn statistics(&self, wait_at_most: Duration) -> Option<SessionStatistics> {
        self.publication.statistics(wait_at_most).remove(&PEER)
    }

    /// Ends it, notifies the peer, and waits until that is done, but not longer than this.
    pub fn close(&self, wait_at_most: Duration) {
        self.publication.close(wait_at_most);
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// Where packets go; none once the subscription is over.
type Sender = Arc<Mutex<Option<SyncSender<ReceivedPacket>>>>;

fn queue(
    sender: Sender,
    dropped: Arc<AtomicU64>,
) -> impl Fn(ReceivedPacket) + Send + Sync + 'static {
    move |packet| {
        let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref()
            && let Err(TrySendError::Full(_)) = sender.try_send(packet)
        {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a shard says of the peer, as the owner of a subscription takes it.
fn pass_on(
    events: impl Fn(SubscriptionEvent) -> Result<(), SubscriptionEvent> + Send + Sync + 'static,
    sender: Sender,
) -> impl Fn(PublicationEvent) -> Result<(), PublicationEvent> + Send + Sync + 'static {
    move |event| {
        let kind = event.kind.clone();
        let kind = match kind {
            ViewerEvent::LocalDescription { sdp, is_answer } => {
                SubscriptionEvent::LocalDescription { sdp, is_answer }
            }
            ViewerEvent::LocalCandidate { candidate, m_line } => {
                SubscriptionEvent::LocalCandidate { candidate, m_line }
            }
            ViewerEvent::RemoteTracks(tracks) => SubscriptionEvent::RemoteTracks(tracks),
            ViewerEvent::Connected => SubscriptionEvent::Connected,
            ViewerEvent::Ended(reason) => {
                *sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
                SubscriptionEvent::Ended(reason)
            }
            // Of what is sent.
            _ => return Ok(()),
        };
        events(kind).map_err(|_| event)
    }
}
