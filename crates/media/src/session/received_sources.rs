//! The sources (SSRC) of what a peer sends, and the section of each.
//!
//! str0m would find sections by itself, before it knows whether a packet is authentic, and would move a section to another source
//! for it. So it is given sources, never names in packets: those that the description names, and a few that packets show.
//! Of these, one of which nothing was decrypted makes way for another.

use std::collections::VecDeque;

use str0m::media::Mid;

/// Sources of which nothing was decrypted yet that no description names.
pub const MAX_UNPROVEN_SOURCES: usize = 8;

/// Sources that no description names, of which something was decrypted: one in the place of another that the peer left.
pub const MAX_PROVEN_SOURCES: usize = 32;

/// Such sources in the life of a session: str0m remembers something of each.
pub const MAX_SOURCES_EVER: usize = 1_024;

/// Sources that are remembered of sections in which nothing is received any more.
pub const MAX_STOPPED_SOURCES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct ReceivedSources {
    /// The oldest first.
    known: VecDeque<Source>,
    /// Those of sections in which nothing is received any more, the oldest first: packets that are on their way belong to no other
    /// section.
    stopped: VecDeque<(u32, Mid)>,
    proven_ever: usize,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    mid: Mid,
    /// The place of its encoding among those of the section.
    encoding: usize,
    is_named: bool,
    is_proven: bool,
}

impl ReceivedSources {
    /// The section of a source, and the place of its encoding there.
    pub(super) fn section(&self, ssrc: u32) -> Option<(Mid, usize)> {
        let mut known = self.known.iter();
        let known = known.find(|it| it.ssrc == ssrc);
        known.map(|it| (it.mid, it.encoding))
    }

    /// The section that a source was in when nothing more was to be received there.
    pub(super) fn stopped_section(&self, ssrc: u32) -> Option<Mid> {
        let mut stopped = self.stopped.iter();
        stopped.find(|(it, _)| *it == ssrc).map(|(_, mid)| *mid)
    }

    /// Takes a source that the description names.
    pub(super) fn name(&mut self, ssrc: u32, mid: Mid) {
        self.stopped.retain(|(it, _)| *it != ssrc);
        self.known.retain(|it| it.ssrc != ssrc);
        self.known.push_back(Source {
            ssrc,
            mid,
            encoding: 0,
            is_named: true,
            is_proven: false,
        });
    }

    /// Takes a source that a packet shows, unless there were too many. Returns the one that makes way, if one must.
    pub(super) fn show(
        &mut self,
        ssrc: u32,
        mid: Mid,
        encoding: usize,
    ) -> Result<Option<u32>, TooManySources> {
        if self.proven_ever >= MAX_SOURCES_EVER {
            return Err(TooManySources);
        }
        self.stopped.retain(|(it, _)| *it != ssrc);
        let makes_way = self.make_way(false, MAX_UNPROVEN_SOURCES);
        self.known.push_back(Source {
            ssrc,
            mid,
            encoding,
            is_named: false,
            is_proven: false,
        });
        Ok(makes_way)
    }

    /// A packet of a source was decrypted. Returns another that makes way, if one must.
    pub(super) fn prove(&mut self, ssrc: u32) -> Option<u32> {
        let place = self.known.iter().position(|it| it.ssrc == ssrc)?;
        let source = self.known.get_mut(place)?;
        if std::mem::replace(&mut source.is_proven, true) || source.is_named {
            return None;
        }
        self.proven_ever += 1;
        // It is the newest of its kind.
        let source = self.known.remove(place)?;
        let makes_way = self.make_way(true, MAX_PROVEN_SOURCES);
        self.known.push_back(source);
        makes_way
    }

    /// Stops the sources of a section, and those of its packets that are sent a second time. Returns the former.
    pub(super) fn stop_section(&mut self, mid: Mid, rtx: impl Iterator<Item = u32>) -> Vec<u32> {
        let of_section = self.known.iter().filter(|it| it.mid == mid);
        let sources: Vec<_> = of_section.map(|it| it.ssrc).collect();
        self.known.retain(|it| it.mid != mid);
        for ssrc in sources.iter().copied().chain(rtx) {
            self.stopped.retain(|(it, _)| *it != ssrc);
            if self.stopped.len() >= MAX_STOPPED_SOURCES {
                self.stopped.pop_front();
            }
            self.stopped.push_back((ssrc, mid));
        }
        sources
    }

    fn make_way(&mut self, is_proven: bool, limit: usize) -> Option<u32> {
        let is_one = |it: &Source| !it.is_named && it.is_proven == is_proven;
        if self.known.iter().filter(|it| is_one(it)).count() < limit {
            return None;
        }
        let oldest = self.known.iter().position(is_one)?;
        self.known.remove(oldest).map(|it| it.ssrc)
    }
}

/// A peer that changes its sources without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManySources;

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Mid {
        Mid::from("0")
    }

    #[test]
    fn sources_without_a_packet_make_way_and_those_with_one_stay() {
        let mut sources = ReceivedSources::default();
        sources.name(1, section());
        assert_eq!(sources.show(2, section(), 0), Ok(None));
        assert_eq!(sources.prove(2), None);
        let shown = (100..200).map(|ssrc| sources.show(ssrc, section(), 0));
        let made_way = shown.filter(|it| matches!(it, Ok(Some(_)))).count();
        assert_eq!(made_way, 100 - MAX_UNPROVEN_SOURCES);
        for ssrc in [1, 2, 199] {
            assert_eq!(sources.section(ssrc), Some((section(), 0)), "{ssrc}");
        }
        assert_eq!(sources.section(150), None);
    }

    #[test]
    fn sources_that_a_peer_left_make_way_until_there_were_too_many() {
        let mut sources = ReceivedSources::default();
        for ssrc in 0..MAX_SOURCES_EVER as u32 {
            assert!(sources.show(ssrc, section(), 0).is_ok());
            let made_way = sources.prove(ssrc);
            assert_eq!(made_way.is_some(), ssrc >= MAX_PROVEN_SOURCES as u32);
        }
        assert_eq!(sources.known.len(), MAX_PROVEN_SOURCES);
        assert_eq!(sources.show(u32::MAX, section(), 0), Err(TooManySources));
    }

    #[test]
    fn section_that_is_gone_takes_its_sources_along() {
        let mut sources = ReceivedSources::default();
        sources.name(1, section());
        assert!(sources.show(2, Mid::from("1"), 0).is_ok());
        assert_eq!(sources.stop_section(section(), [3].into_iter()), [1]);
        assert_eq!(
            (sources.section(1), sources.section(2).is_some()),
            (None, true)
        );
        for ssrc in [1, 3] {
            assert_eq!(sources.stopped_section(ssrc), Some(section()), "{ssrc}");
        }
        assert_eq!(sources.stopped_section(2), None);
        sources.name(1, section());
        assert_eq!(sources.stopped_section(1), None);
    }

    #[test]
    fn stopped_sources_beyond_their_limit_forgotten() {
        let mut sources = ReceivedSources::default();
        let count = MAX_STOPPED_SOURCES as u32 + 1;
        sources.stop_section(section(), 0..count);
        assert_eq!(sources.stopped_section(0), None);
        assert_eq!(sources.stopped_section(1), Some(section()));
        assert_eq!(sources.stopped.len(), MAX_STOPPED_SOURCES);
    }
}
