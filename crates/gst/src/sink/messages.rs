//! The messages that wait for the control thread.
//!
//! Nothing here waits for that thread. A message about the state of the sink always finds room: there are a few for each pad
//! and each attempt at a rendition. What others send may be much more, and has a limit: what comes again is dropped then, and
//! anything else is returned to the sender, who offers it later.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use wigwag_client::SignallerEvent;
use wigwag_media::engine::PublicationEvent;
use wigwag_media::ids::{RenditionId, StreamId};

use super::feeds::Feeds;
use super::flow::Flow;
use super::pace::Liveness;

/// Messages that may wait, beside those about the state of the sink. Sessions come and go by a few each.
pub(super) const MAX_WAITING_MESSAGES: usize = 16_384;

/// What the control thread is notified of.
pub(super) enum Message {
    Signaller(SignallerEvent),
    Media(PublicationEvent),
    /// The caps of a pad are known, or changed.
    Caps {
        stream: StreamId,
        name: String,
        caps: gst::Caps,
        feeds: Feeds,
        liveness: Liveness,
    },
    PadAdded {
        stream: StreamId,
        name: String,
        flow: Arc<Flow>,
    },
    PadRemoved(StreamId),
    /// A key frame came in what comes encoded.
    SourceKeyFrame(StreamId),
    /// Pictures come in another order than they are shown in.
    Reordered(StreamId),
    KeyFrameMade(RenditionId),
    DecodingFailed {
        stream: StreamId,
        attempt: u64,
        reason: String,
    },
    RenditionFailed {
        rendition: RenditionId,
        attempt: u64,
        reason: String,
    },
    /// Says nothing; the flag that is looked at with every message does.
    Stop,
    /// Makes the thread panic.
    #[cfg(test)]
    Panic,
}

impl Message {
    /// Whether it comes again if it is lost.
    fn comes_again(&self) -> bool {
        matches!(self, Self::SourceKeyFrame(_) | Self::KeyFrameMade(_))
    }
}

/// The way to the control thread. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Messages(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrival: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    is_closed: bool,
}

impl Messages {
    /// Sends a message about the state of the sink, or one that comes again: that is dropped if many messages wait.
    pub(super) fn send(&self, message: Message) {
        let limit = match message.comes_again() {
            true => MAX_WAITING_MESSAGES,
            false => usize::MAX,
        };
        self.put(limit, message);
    }

    /// Sends a message, or returns it if many wait.
    pub(super) fn offer(&self, message: Message) -> Result<(), Message> {
        self.put(MAX_WAITING_MESSAGES, message).map_or(Ok(()), Err)
    }

    /// Takes the next message, and waits for one so long.
    pub(super) fn take(&self, wait_at_most: Duration) -> Option<Message> {
        let is_empty = |waiting: &mut Waiting| waiting.messages.is_empty() && !waiting.is_closed;
        let arrival = &self.0.arrival;
        let waited = arrival.wait_timeout_while(self.lock(), wait_at_most, is_empty);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.messages.pop_front()
    }

    /// Drops what waits, and all that comes.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let dropped = std::mem::take(&mut waiting.messages);
        drop(waiting);
        self.0.arrival.notify_all();
        // Not under the lock: what they hold may send messages when it is dropped.
        drop(dropped);
    }

    /// Returns the message if there is no room for it.
    fn put(&self, limit: usize, message: Message) -> Option<Message> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return None;
        }
        if waiting.messages.len() >= limit {
            return Some(message);
        }
        waiting.messages.push_back(message);
        drop(waiting);
        self.0.arrival.notify_one();
        None
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing here leaves a half-made state behind, even if it panicked.
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn is_removal(message: &Message) -> bool {
        matches!(message, Message::PadRemoved(_))
    }

    #[test]
    fn state_message_finds_room_where_others_do_not() {
        let messages = Messages::default();
        let repeated = || Message::SourceKeyFrame(StreamId(0));
        for _ in 0..MAX_WAITING_MESSAGES + 10 {
            messages.send(repeated());
        }
        assert!(messages.offer(repeated()).is_err());
        messages.send(Message::PadRemoved(StreamId(1)));
        let all = std::iter::from_fn(|| messages.take(NO_TIME));
        let all: Vec<_> = all.collect();
        assert_eq!(all.len(), MAX_WAITING_MESSAGES + 1);
        assert!(all.last().is_some_and(is_removal));
        assert!(messages.offer(repeated()).is_ok());
    }

    #[test]
    fn thread_that_waits_is_woken() {
        let messages = Messages::default();
        let sender = messages.clone();
        let sending = std::thread::spawn(move || sender.send(Message::PadRemoved(StreamId(1))));
        let message = messages.take(Duration::from_secs(60));
        assert!(message.as_ref().is_some_and(is_removal));
        sending.join().expect("it does not panic");
    }

    #[test]
    fn closed_messages_take_nothing() {
        let messages = Messages::default();
        messages.send(Message::Stop);
        messages.close();
        messages.send(Message::Stop);
        assert!(messages.offer(Message::Stop).is_ok(), "nobody waits for it");
        assert!(messages.take(Duration::from_secs(60)).is_none());
    }
}
