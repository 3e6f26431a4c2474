//! A viewer and the streams that it watches.

use std::collections::BTreeMap;
use std::time::Instant;

use super::codecs::SentCodecs;
use super::subscribers::Entry;
use crate::ids::{Bitrate, PeerKey, RenditionId, StreamId};
use crate::vote::Voter;

/// A viewer.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) peer: PeerKey,
    pub(super) streams: BTreeMap<StreamId, Watched>,
    pub(super) estimate: Option<Bitrate>,
    /// The current and the desired rate that its session knows.
    pub(super) reported: Option<(Bitrate, Bitrate)>,
    pub(super) connected: bool,
    /// What it is entered under among the subscribers.
    pub(super) entered: Entry,
}

/// A stream that a viewer watches.
#[derive(Debug)]
pub(super) struct Watched {
    /// The codecs that it takes, the one agreed on first; never empty.
    pub(super) takes: Vec<u32>,
    /// The codec that it gets.
    pub(super) codec: u32,
    /// Whether it gets that already, not only from its next key frame on.
    pub(super) arrived: bool,
    /// The codec that it goes back to with the source's next key frame.
    pub(super) next: Option<u32>,
    pub(super) assigned: Option<RenditionId>,
    /// Since when it waits for a key frame of what comes encoded.
    pub(super) waits_since: Option<Instant>,
    pub(super) voter: Voter,
}

impl Watching {
    /// A viewer that takes these codecs of these streams.
    pub(super) fn new(peer: PeerKey, taken: &[(StreamId, Vec<u32>)]) -> Self {
        let watched = taken.iter().filter_map(|(stream, codecs)| {
            let watched = Watched {
                takes: codecs.clone(),
                codec: *codecs.first()?,
                arrived: true,
                next: None,
                assigned: None,
                waits_since: None,
                voter: Voter::default(),
            };
            Some((*stream, watched))
        });
        Self {
            peer,
            streams: watched.collect(),
            estimate: None,
            reported: None,
            connected: false,
            entered: Entry::default(),
        }
    }

    /// What it is to be entered under now.
    pub(super) fn entry(&self) -> Entry {
        let streams = self.streams.iter();
        let assigned = streams.map(|(stream, watched)| rendition(*stream, watched.codec));
        let streams = self.streams.iter();
        let awaited = streams
            .filter_map(|(stream, watched)| watched.next.map(|codec| rendition(*stream, codec)));
        Entry {
            connected: self.connected,
            assigned: assigned.collect(),
            awaited: awaited.collect(),
        }
    }

    pub(super) fn is_assigned(&self, rendition: RenditionId) -> bool {
        let watched = self.streams.get(&rendition.stream);
        watched.is_some_and(|watched| watched.assigned == Some(rendition))
    }
}

impl Watched {
    /// Another codec than the one that it gets.
    pub(super) fn alternative(&self) -> Option<u32> {
        self.takes
            .iter()
            .copied()
            .find(|codec| *codec != self.codec)
    }

    /// Takes these codecs from now on, the one agreed on first. Goes on in what it gets if that is one of them, else in one that may
    /// be sent; false if there is none.
    pub(super) fn take(&mut self, takes: Vec<u32>, sent: &mut SentCodecs) -> bool {
        self.next = self.next.filter(|next| takes.contains(next));
        if !takes.contains(&self.codec) {
            let Some(codec) = sent.first_allowed(takes.iter().copied()) else {
                return false;
            };
            (self.codec, self.arrived, self.next) = (codec, false, None);
            sent.add(codec);
            self.waits_since = None;
        }
        self.takes = takes;
        true
    }

    /// Chooses another codec than these, of those that may be sent; false if it gets one of them and takes no other.
    pub(super) fn withdraw(&mut self, codecs: &[u32], sent: &mut SentCodecs) -> bool {
        let others = self.takes.iter().copied();
        let others: Vec<_> = others.filter(|taken| !codecs.contains(taken)).collect();
        if others.is_empty() {
            return !codecs.contains(&self.codec);
        }
        let next = self.next.filter(|next| !codecs.contains(next));
        if codecs.contains(&self.codec) {
            let first = next.into_iter().chain(others.iter().copied());
            let Some(first) = sent.first_allowed(first) else {
                return false;
            };
            (self.codec, self.arrived, self.next) = (first, false, None);
            sent.add(first);
        } else {
            self.next = next;
        }
        self.waits_since = None;
        self.takes = others;
        true
    }
}

/// The one rendition of a stream in a codec.
pub(super) fn rendition(stream: StreamId, codec: u32) -> RenditionId {
    RenditionId {
        stream,
        codec,
        level: 0,
    }
}
