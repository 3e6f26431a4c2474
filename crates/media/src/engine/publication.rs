//! What one element sends: the handle that its owner holds, and what the shards know of it.

use std::collections::{BTreeMap, btree_map};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::admission::Admission;
use super::events::{Listener, PacketListener};
use super::inbox::{Command, Inbox, ViewerRequest};
use super::statistics::count;
use super::stun_servers::StunServer;
use super::{Negotiation, Threads};
use crate::demand::Handover;
use crate::frame::Frame;
use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::session::{LimitError, SessionConfig, SessionStatistics, StreamConfig};

/// How to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicationConfig {
    /// `host:port` of a STUN server that tells viewers outside where to find us. An IPv6 address stands in
    /// brackets.
    pub stun_server: Option<String>,
    /// How many viewers it has at most; none for no limit. One more is refused: see
    /// [`Publication::add_viewer`].
    pub max_viewers: Option<NonZeroUsize>,
}

/// The number of a publication in its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PublicationKey(pub(super) u64);

/// What the handle and the shards share.
pub(super) struct Shared {
    pub(super) key: PublicationKey,
    pub(super) listener: Box<Listener>,
    /// None of one that only sends.
    pub(super) packets: Option<Box<PacketListener>>,
    pub(super) stun_server: Option<Arc<StunServer>>,
    /// Where each viewer is.
    routes: Mutex<BTreeMap<ViewerId, Route>>,
    /// How many viewers each shard has.
    viewers: Box<[AtomicUsize]>,
    /// Whether the handle is gone, and with it who listens.
    closed: AtomicBool,
    /// Of this publication and of the engine.
    admissions: [Arc<Admission>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Route {
    shard: usize,
    /// Whether it counts as one of those who may be there. Who was refused does not, and who is about to
    /// leave does not any more.
    admitted: bool,
}

/// What became of a viewer that wants to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is there.
    Admitted,
    /// It is one too many.
    Refused,
    /// It was there before.
    AlreadyThere,
}

/// What one element sends, to all its viewers. Closed when it is dropped.
///
/// Nothing here waits for a viewer or a shard, but [`close`](Self::close) and
/// [`statistics`](Self::statistics). See the [module](super) for the order of calls and events.
pub struct Publication {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

impl Shared {
    pub(super) fn new(
        key: PublicationKey,
        listener: Box<Listener>,
        packets: Option<Box<PacketListener>>,
        stun_server: Option<Arc<StunServer>>,
        admissions: [Arc<Admission>; 2],
        shards: usize,
    ) -> Self {
        Self {
            key,
            listener,
            packets,
            stun_server,
            routes: Mutex::default(),
            viewers: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            closed: AtomicBool::new(false),
            admissions,
        }
    }

    /// A viewer is gone from its shard; false if it was gone before.
    pub(super) fn remove_route(&self, viewer: ViewerId, shard: usize, inbox: &Inbox) -> bool {
        let Some(route) = self.routes().remove(&viewer) else {
            return false;
        };
        if route.admitted {
            self.leave();
        }
        self.viewers[shard].fetch_sub(1, Ordering::Relaxed);
        inbox.sessions.fetch_sub(1, Ordering::Relaxed);
        true
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// A viewer comes to a shard, where its end is emitted even if it is refused.
    pub(super) fn add_route(&self, viewer: ViewerId, shard: usize, inbox: &Inbox) -> Added {
        let admitted = match self.routes().entry(viewer) {
            btree_map::Entry::Occupied(_) => return Added::AlreadyThere,
            btree_map::Entry::Vacant(free) => {
                let admitted = self.enter();
                free.insert(Route { shard, admitted });
                admitted
            }
        };
        self.viewers[shard].fetch_add(1, Ordering::Relaxed);
        inbox.sessions.fetch_add(1, Ordering::Relaxed);
        if admitted {
            Added::Admitted
        } else {
            count(&inbox.counters.viewers_refused, 1);
            Added::Refused
        }
    }

    /// A viewer is about to leave: another may come in its place.
    pub(super) fn make_room(&self, viewer: ViewerId) {
        if let Some(route) = self.routes().get_mut(&viewer)
            && std::mem::take(&mut route.admitted)
        {
            self.leave();
        }
    }

    fn enter(&self) -> bool {
        let [own, engine] = &self.admissions;
        if !own.enter() {
            return false;
        }
        let entered = engine.enter();
        if !entered {
            own.leave();
        }
        entered
    }

    fn leave(&self) {
        for admission in &self.admissions {
            admission.leave();
        }
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<ViewerId, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publication {
    pub(super) fn new(shared: Arc<Shared>, threads: Arc<Threads>) -> Self {
        Self { shared, threads }
    }

    /// Begins a session with a viewer, on the shard that has the fewest. A viewer that is there already
    /// is left as it is. One that is too many for the publication or the engine ends at once, with
    /// [`TooManyViewers`](LimitError::TooManyViewers).
    pub fn add_viewer(
        &self,
        viewer: ViewerId,
        config: Arc<SessionConfig>,
        negotiation: Negotiation,
    ) {
        let inboxes = self.threads.inboxes();
        let load = |(_, inbox): &(usize, &Arc<Inbox>)| inbox.sessions.load(Ordering::Relaxed);
        let Some((shard, inbox)) = inboxes.iter().enumerate().min_by_key(load) else {
            return;
        };
        let request = match self.shared.add_route(viewer, shard, inbox) {
            Added::Admitted => ViewerRequest::Add(config, negotiation),
            Added::Refused => ViewerRequest::Refuse,
            Added::AlreadyThere => {
                return tracing::warn!(viewer = viewer.0, "the viewer is there already");
            }
        };
        inbox.ask(&self.shared, viewer, request);
    }

    /// Why a viewer that came now would be refused, if it would. It counts as refused: for owners that do
    /// not add it then.
    pub fn refusal(&self) -> Option<LimitError> {
        let is_full = |admission: &Arc<Admission>| admission.is_full();
        if !self.shared.admissions.iter().any(is_full) {
            return None;
        }
        if let Some(inbox) = self.threads.inboxes().first() {
            count(&inbox.counters.viewers_refused, 1);
        }
        Some(LimitError::TooManyViewers)
    }

    /// Takes a viewer's answer (SDP) to our offer. `preferred` are codecs that already run: see
    /// [`Session::handle_answer`](crate::session::Session::handle_answer).
    pub fn accept_answer(&self, viewer: ViewerId, sdp: String, preferred: Vec<(StreamId, u32)>) {
        self.ask(viewer, ViewerRequest::AcceptAnswer(sdp, preferred));
    }

    /// Takes a further offer (SDP) of a viewer; the answer comes as
    /// [`LocalDescription`](super::ViewerEvent::LocalDescription). See
    /// [`Session::handle_offer`](crate::session::Session::handle_offer).
    pub fn handle_offer(&self, viewer: ViewerId, sdp: String, preferred: Vec<(StreamId, u32)>) {
        self.ask(viewer, ViewerRequest::HandleOffer(sdp, preferred));
    }

    /// Has a viewer sent these streams from now on. If others were sent to it, a further offer comes as
    /// [`LocalDescription`](super::ViewerEvent::LocalDescription). See
    /// [`Session::set_streams`](crate::session::Session::set_streams).
    pub fn set_streams(&self, viewer: ViewerId, streams: Arc<[StreamConfig]>) {
        self.ask(viewer, ViewerRequest::SetStreams(streams));
    }

    /// Takes a candidate of a viewer, as an attribute's text. The empty text is the end of candidates.
    pub fn add_candidate(&self, viewer: ViewerId, candidate: String) {
        self.ask(viewer, ViewerRequest::AddCandidate(candidate));
    }

    /// Gives a viewer this rendition of its stream: see [`Session::assign`](crate::session::Session::assign).
    pub fn give(&self, viewer: ViewerId, rendition: RenditionId, handover: Handover) {
        self.ask(viewer, ViewerRequest::Give(rendition, handover));
    }

    /// Asks a viewer that sends for a key frame of a track, which is named by its section.
    pub(super) fn request_key_frame(&self, viewer: ViewerId, mid: Arc<str>) {
        self.ask(viewer, ViewerRequest::RequestKeyFrame(mid));
    }

    /// Says what a viewer is being sent, and what it would be if its path took it.
    pub fn set_rates(&self, viewer: ViewerId, current: Bitrate, desired: Bitrate) {
        self.ask(viewer, ViewerRequest::SetRates { current, desired });
    }

    /// Sends a frame to all viewers that get its rendition. Frames that the shards are too busy to take
    /// are dropped, up to the next key frame, which is then asked for. Never waits.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller gives it away; how many share it is not known here"
    )]
    pub fn send_frame(&self, frame: Arc<Frame>) {
        for (inbox, viewers) in self.threads.inboxes().iter().zip(&self.shared.viewers) {
            if viewers.load(Ordering::Relaxed) > 0 {
                inbox.push_frame(self.shared.key, &frame);
            }
        }
    }

    /// Ends a session, and tells the viewer if it can still be told. Another viewer may take its place at
    /// once.
    pub fn remove_viewer(&self, viewer: ViewerId) {
        self.shared.make_room(viewer);
        self.ask(viewer, ViewerRequest::Remove);
    }

    /// What was counted for each viewer that is there. Viewers of a shard that does not answer in time
    /// are left out.
    pub fn statistics(&self, wait_at_most: Duration) -> BTreeMap<ViewerId, SessionStatistics> {
        let (sender, receiver) = mpsc::channel();
        for inbox in self.threads.inboxes() {
            inbox.ask_all(Command::Statistics(self.shared.key, sender.clone()));
        }
        drop(sender);
        until(wait_at_most, &receiver).flatten().collect()
    }

    /// Ends all sessions, tells the viewers, and waits until that is done, but not longer than this.
    pub fn close(&self, wait_at_most: Duration) {
        let done = self.begin_to_close();
        until(wait_at_most, &done).for_each(drop);
    }

    fn begin_to_close(&self) -> mpsc::Receiver<()> {
        self.shared.closed.store(true, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel();
        for inbox in self.threads.inboxes() {
            inbox.ask_all(Command::Close(self.shared.key, sender.clone()));
        }
        receiver
    }

    fn ask(&self, viewer: ViewerId, request: ViewerRequest) {
        let route = self.shared.routes().get(&viewer).copied();
        if let Some(inbox) = route.and_then(|route| self.threads.inboxes().get(route.shard)) {
            inbox.ask(&self.shared, viewer, request);
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        // Nobody waits; after `close`, there is nothing left to do.
        drop(self.begin_to_close());
    }
}

impl std::fmt::Debug for Publication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publication")
            .field("viewers", &self.shared.routes().len())
            .finish_non_exhaustive()
    }
}

/// What comes until all senders are gone or the time is up.
fn until<T>(wait_at_most: Duration, receiver: &mpsc::Receiver<T>) -> impl Iterator<Item = T> {
    let end = Instant::now().checked_add(wait_at_most);
    std::iter::from_fn(move || {
        let left = match end {
            Some(end) => end.saturating_duration_since(Instant::now()),
            // Longer than the clock can say.
            None => wait_at_most,
        };
        receiver.recv_timeout(left).ok()
    })
}
