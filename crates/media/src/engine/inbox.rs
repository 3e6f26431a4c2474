//! What waits for a shard.
//!
//! Two queues, because they are bounded in two ways. Frames come all the time, and one that finds no room
//! is dropped with all that follow up to the next key frame. Commands are never lost: if one about a
//! viewer finds no room, the viewer is ended, with a reason.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::publication::{PublicationKey, Shared};
use super::statistics::{Counters, count};
use super::stun_servers::StunServer;
use super::{Negotiation, StatisticsReply};
use crate::demand::Handover;
use crate::frame::Frame;
use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::session::{SessionConfig, StreamConfig};

/// Frames that wait for a shard at most, of all publications: some seconds of several pictures.
pub const MAX_WAITING_FRAMES: usize = 512;

/// Commands that wait for a shard at most: thousands of viewers that join at once.
pub const MAX_WAITING_COMMANDS: usize = 16_384;

/// Viewers at most that are ended because a command found no room. That many commands are lost only if
/// the shard stands still; what is beyond is only logged.
pub const MAX_REFUSED_VIEWERS: usize = 65_536;

pub(super) enum Command {
    Viewer {
        publication: Arc<Shared>,
        viewer: ViewerId,
        request: ViewerRequest,
    },
    Statistics(PublicationKey, mpsc::Sender<StatisticsReply>),
    Close(PublicationKey, mpsc::Sender<()>),
    StunResolved(Arc<StunServer>),
}

impl Command {
    /// Whom it is about, if that is one viewer.
    pub(super) fn viewer(&self) -> Option<(Arc<Shared>, ViewerId)> {
        match self {
            Self::Viewer {
                publication,
                viewer,
                ..
            } => Some((Arc::clone(publication), *viewer)),
            _ => None,
        }
    }
}

pub(super) enum ViewerRequest {
    Add(Arc<SessionConfig>, Negotiation),
    /// It is one too many.
    Refuse,
    AcceptAnswer(String, Vec<(StreamId, u32)>),
    /// A further one.
    HandleOffer(String, Vec<(StreamId, u32)>),
    /// What it is sent from now on.
    SetStreams(Arc<[StreamConfig]>),
    AddCandidate(String),
    /// Of the track in a section of that name.
    RequestKeyFrame(Arc<str>),
    Give(RenditionId, Handover),
    SetRates {
        current: Bitrate,
        desired: Bitrate,
    },
    Remove,
}

/// The way into a shard.
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Sessions of the shard, with those on their way.
    pub(super) sessions: AtomicUsize,
    pub(super) counters: Arc<Counters>,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Command>,
    frames: VecDeque<(PublicationKey, Arc<Frame>)>,
    refused: Vec<(Arc<Shared>, ViewerId)>,
    /// Renditions that go on with a key frame.
    interrupted: BTreeSet<(PublicationKey, RenditionId)>,
    /// Streams that lost frames since the shard last looked.
    missed: BTreeSet<(PublicationKey, StreamId)>,
    stop: bool,
}

/// What a shard took.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) commands: VecDeque<Command>,
    pub(super) refused: Vec<(Arc<Shared>, ViewerId)>,
    pub(super) missed: BTreeSet<(PublicationKey, StreamId)>,
    pub(super) frame: Option<(PublicationKey, Arc<Frame>)>,
    /// Whom the command is about that is being done.
    pub(super) current: Option<(Arc<Shared>, ViewerId)>,
    /// Whether something still waits: nobody wakes the shard for that again.
    pub(super) more: bool,
    pub(super) stop: bool,
}

impl Inbox {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static, counters: Arc<Counters>) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Box::new(wake),
            sessions: AtomicUsize::new(0),
            counters,
        }
    }

    /// Asks something about a viewer.
    pub(super) fn ask(&self, publication: &Arc<Shared>, viewer: ViewerId, request: ViewerRequest) {
        self.put(|waiting| {
            let length = waiting.commands.len();
            // Rates come again; the others need the room more.
            if matches!(request, ViewerRequest::SetRates { .. })
                && length > MAX_WAITING_COMMANDS / 2
            {
                return;
            }
            if length < MAX_WAITING_COMMANDS {
                waiting.commands.push_back(Command::Viewer {
                    publication: Arc::clone(publication),
                    viewer,
                    request,
                });
            } else if waiting.refused.len() < MAX_REFUSED_VIEWERS {
                waiting.refused.push((Arc::clone(publication), viewer));
            } else {
                tracing::error!(viewer = viewer.0, "a command for a viewer is lost");
            }
        });
    }

    /// Asks something about a publication, or tells something. Of what must not be lost there is one for
    /// each publication; a question for statistics goes unanswered if the shard is too busy.
    pub(super) fn ask_all(&self, command: Command) {
        self.put(|waiting| {
            let is_long = waiting.commands.len() > MAX_WAITING_COMMANDS / 2;
            if !(is_long && matches!(command, Command::Statistics(..))) {
                waiting.commands.push_back(command);
            }
        });
    }

    pub(super) fn push_frame(&self, publication: PublicationKey, frame: &Arc<Frame>) {
        let rendition = (publication, frame.rendition);
        self.put(|waiting| {
            let has_room = waiting.frames.len() < MAX_WAITING_FRAMES;
            if has_room && (frame.key || !waiting.interrupted.contains(&rendition)) {
                waiting.interrupted.remove(&rendition);
                waiting.frames.push_back((publication, Arc::clone(frame)));
            } else {
                waiting.interrupted.insert(rendition);
                let stream = (publication, frame.rendition.stream);
                waiting.missed.insert(stream);
                count(&self.counters.frames_missed, 1);
            }
        });
    }

    /// Has the shard stop after all that waits.
    pub(super) fn stop(&self) {
        self.put(|waiting| waiting.stop = true);
    }

    /// Takes all commands, and the next frame if it is wanted.
    pub(super) fn take(&self, wants_frame: bool) -> Taken {
        let mut waiting = self.lock();
        let frame = if wants_frame {
            waiting.frames.pop_front()
        } else {
            None
        };
        Taken {
            commands: std::mem::take(&mut waiting.commands),
            refused: std::mem::take(&mut waiting.refused),
            missed: std::mem::take(&mut waiting.missed),
            frame,
            current: None,
            more: !waiting.frames.is_empty(),
            stop: waiting.stop,
        }
    }

    /// Takes only the next frame, if it is wanted: there are commands left.
    pub(super) fn take_frame(&self, wants_frame: bool, taken: &mut Taken) {
        let mut waiting = self.lock();
        if wants_frame {
            taken.frame = waiting.frames.pop_front();
        }
        taken.more = !waiting.is_empty();
    }

    /// Forgets the frames of a publication that is closed.
    pub(super) fn forget(&self, publication: PublicationKey) {
        let mut waiting = self.lock();
        waiting.frames.retain(|(key, _)| *key != publication);
        waiting.interrupted.retain(|(key, _)| *key != publication);
    }

    /// The shard is woken only for the first thing that waits: it takes all.
    fn put(&self, put: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        let slept = waiting.is_empty();
        put(&mut waiting);
        let wakes = slept && !waiting.is_empty();
        drop(waiting);
        if wakes {
            (self.wake)();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.commands.is_empty()
            && self.frames.is_empty()
            && self.refused.is_empty()
            && self.missed.is_empty()
            && !self.stop
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Instant;

    use super::*;

    const ONE: PublicationKey = PublicationKey(1);
    const TWO: PublicationKey = PublicationKey(2);

    fn inbox() -> (Inbox, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (Inbox::new(wake, Arc::default()), wakes)
    }

    fn frame(number: usize, key: bool) -> Arc<Frame> {
        Arc::new(Frame {
            rendition: RenditionId {
                stream: StreamId(0),
                codec: 0,
                level: 0,
            },
            rtp_time: number as u32,
            wall_clock: Instant::now(),
            key,
            temporal_layer: 0,
            packets: Vec::new(),
        })
    }

    fn frames(inbox: &Inbox) -> Vec<u32> {
        let next = || inbox.take(true).frame.map(|(_, frame)| frame.rtp_time);
        std::iter::from_fn(next).collect()
    }

    fn publication() -> Arc<Shared> {
        let admissions = [Arc::default(), Arc::default()];
        Arc::new(Shared::new(
            ONE,
            Box::new(|_| Ok(())),
            None,
            None,
            admissions,
            1,
        ))
    }

    #[test]
    fn what_waits_while_only_a_frame_is_taken_is_more() {
        let (inbox, wakes) = inbox();
        inbox.push_frame(ONE, &frame(0, true));
        let mut taken = inbox.take(true);
        assert!(!taken.more);
        let (reply, _) = mpsc::channel();
        inbox.ask_all(Command::Close(ONE, reply));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
        inbox.take_frame(true, &mut taken);
        assert!(taken.more, "nobody wakes the shard for the command again");
        assert_eq!(inbox.take(true).commands.len(), 1);
        inbox.take_frame(true, &mut taken);
        assert!(!taken.more);
    }

    #[test]
    fn frames_that_find_no_room_are_dropped_up_to_the_next_key_frame() {
        let (inbox, wakes) = inbox();
        for number in 0..MAX_WAITING_FRAMES + 10 {
            inbox.push_frame(ONE, &frame(number, number == 0));
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        let taken = inbox.take(true);
        assert!(taken.more && taken.missed.contains(&(ONE, StreamId(0))));
        assert_eq!(frames(&inbox).len(), MAX_WAITING_FRAMES - 1);
        inbox.push_frame(ONE, &frame(1_000, false));
        inbox.push_frame(TWO, &frame(2_000, false));
        assert!(!inbox.take(true).missed.is_empty(), "it is said again");
        inbox.push_frame(ONE, &frame(1_001, true));
        inbox.push_frame(ONE, &frame(1_002, false));
        assert_eq!(frames(&inbox), [1_001, 1_002]);
        assert_eq!(inbox.counters.frames_missed.load(Ordering::Relaxed), 11);
    }

    #[test]
    fn a_viewer_whose_command_finds_no_room_is_refused() {
        let (inbox, wakes) = inbox();
        let publication = publication();
        let rates = || ViewerRequest::SetRates {
            current: 1,
            desired: 2,
        };
        for _ in 0..MAX_WAITING_COMMANDS {
            inbox.ask(&publication, ViewerId(0), rates());
        }
        for number in 0..MAX_WAITING_COMMANDS as u64 {
            inbox.ask(&publication, ViewerId(number), ViewerRequest::Remove);
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        let taken = inbox.take(true);
        assert_eq!(taken.commands.len(), MAX_WAITING_COMMANDS);
        let half = MAX_WAITING_COMMANDS / 2;
        assert_eq!(taken.refused.len(), half + 1, "rates leave room for others");
        for number in 0..(MAX_WAITING_COMMANDS + MAX_REFUSED_VIEWERS + 10) as u64 {
            inbox.ask(&publication, ViewerId(number), ViewerRequest::Remove);
        }
        assert_eq!(inbox.take(true).refused.len(), MAX_REFUSED_VIEWERS);
        for _ in 0..MAX_WAITING_COMMANDS {
            inbox.ask_all(Command::Statistics(ONE, mpsc::channel().0));
        }
        assert_eq!(inbox.take(true).commands.len(), half + 1);
    }

    #[test]
    fn a_publication_that_is_closed_leaves_nothing() {
        let (inbox, _) = inbox();
        for number in 0..=MAX_WAITING_FRAMES {
            inbox.push_frame(ONE, &frame(number, false));
        }
        inbox.forget(ONE);
        assert!(frames(&inbox).is_empty());
        assert!(inbox.lock().interrupted.is_empty());
    }
}
