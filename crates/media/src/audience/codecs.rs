//! In how many codecs a stream is encoded at once. What is passed through costs no encoder and does not count.

use std::collections::BTreeSet;

use super::viewer::Watching;
use super::{Action, Audience, StreamRate};
use crate::ids::{RenditionId, StreamId, ViewerId};

/// Codecs in which a stream is encoded at once, at most: each is an encoder, and viewers choose.
pub const MAX_ENCODED_CODECS: usize = 2;

/// A viewer cannot be given a stream: it takes none of the codecs that there are, and no other may be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCodecLeft {
    /// The stream.
    pub stream: StreamId,
    /// The codecs that it is sent in.
    pub codecs: Vec<u32>,
}

/// The codecs in which a stream is sent.
#[derive(Debug)]
pub(super) struct SentCodecs {
    passed: Option<u32>,
    encoded: BTreeSet<u32>,
}

impl SentCodecs {
    /// Whether somebody may get a stream in this codec.
    pub(super) fn allow(&self, codec: u32) -> bool {
        self.is_sent(codec) || self.encoded.len() < MAX_ENCODED_CODECS
    }

    /// The first of these that may be sent.
    pub(super) fn first_allowed(&self, codecs: impl IntoIterator<Item = u32>) -> Option<u32> {
        codecs.into_iter().find(|codec| self.allow(*codec))
    }

    pub(super) fn add(&mut self, codec: u32) {
        if self.passed != Some(codec) {
            self.encoded.insert(codec);
        }
    }

    fn is_sent(&self, codec: u32) -> bool {
        self.passed == Some(codec) || self.encoded.contains(&codec)
    }
}

impl Audience {
    /// In which codecs viewers are sent a stream.
    pub(super) fn sent_codecs(&self, stream: StreamId) -> SentCodecs {
        let passed = match self.streams.get(&stream) {
            Some(StreamRate::Passed { codec, .. }) => Some(*codec),
            _ => None,
        };
        let encoded = BTreeSet::new();
        let mut sent = SentCodecs { passed, encoded };
        for (rendition, _) in self.subscribers.renditions(stream) {
            sent.add(rendition.codec);
        }
        sent
    }

    /// The same, if none were sent these.
    pub(super) fn sent_codecs_without(&self, stream: StreamId, codecs: &[u32]) -> SentCodecs {
        let mut sent = self.sent_codecs(stream);
        sent.encoded.retain(|codec| !codecs.contains(codec));
        sent.passed = sent.passed.filter(|codec| !codecs.contains(codec));
        sent
    }

    /// Stops what nobody watches any more, if a rendition that is to start were one too many beside it.
    pub(super) fn make_room_for(&mut self, rendition: RenditionId) {
        if self.is_passed(rendition) {
            return;
        }
        let others = self.renditions.iter();
        let others = others
            .filter(|(other, _)| other.stream == rendition.stream && !self.is_passed(**other));
        let others: Vec<_> = others
            .map(|(other, running)| (running.unwanted_since, *other))
            .collect();
        let excess = (others.len() + 1).saturating_sub(MAX_ENCODED_CODECS);
        let mut unwanted: Vec<_> = others
            .into_iter()
            .filter(|(since, _)| since.is_some())
            .collect();
        unwanted.sort_unstable();
        for (_, rendition) in unwanted.into_iter().take(excess) {
            self.renditions.remove(&rendition);
            self.actions.push_back(Action::Stop(rendition));
        }
    }

    /// Chooses the codecs for a newcomer. Where it takes none that may be sent but one that every viewer has, codecs that not
    /// every viewer has give way: returns whose viewers get none any more, and have left.
    pub(super) fn choose_codecs(
        &mut self,
        newcomer: &mut Watching,
    ) -> Result<Vec<ViewerId>, NoCodecLeft> {
        let mut rare = Vec::new();
        for (stream, watched) in &mut newcomer.streams {
            let sent = self.sent_codecs(*stream);
            let takes = watched.takes.iter().copied();
            if let Some(codec) = sent.first_allowed(takes.clone()) {
                watched.codec = codec;
                continue;
            }
            let common = self.common.get(stream);
            let is_common = |codec: &u32| common.is_some_and(|common| common.contains(codec));
            let gives_way = sent.encoded.iter().copied().find(|codec| !is_common(codec));
            let (Some(codec), Some(gives_way)) = (takes.clone().find(is_common), gives_way) else {
                let codecs = sent.passed.into_iter().chain(sent.encoded);
                return Err(NoCodecLeft {
                    stream: *stream,
                    codecs: codecs.collect(),
                });
            };
            watched.codec = codec;
            rare.push((*stream, gives_way, codec));
        }
        let left = rare.into_iter();
        let left = left.flat_map(|(stream, rare, codec)| self.give_way(stream, rare, codec));
        Ok(left.collect())
    }

    /// Lets those who watch a stream in a codec have another that they take, of those that are sent. Returns who takes none,
    /// and has left.
    fn give_way(&mut self, stream: StreamId, rare: u32, newcomer: u32) -> Vec<ViewerId> {
        let mut sent = self.sent_codecs_without(stream, &[rare]);
        sent.add(newcomer);
        let mut left = Vec::new();
        for viewer in self.viewers_of_stream(stream) {
            let Some(watched) = self.watched(viewer, stream) else {
                continue;
            };
            if watched.codec != rare && watched.next != Some(rare) {
                continue;
            }
            if !watched.withdraw(&[rare], &mut sent) {
                left.push(viewer);
            }
            self.mark(viewer);
        }
        for viewer in &left {
            self.forget(*viewer);
        }
        left
    }
}
