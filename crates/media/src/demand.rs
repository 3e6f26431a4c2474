//! Which renditions are wanted, at what rate, and which viewer gets which.
//!
//! A pure function from what viewers can take to what encoders shall make. It is asked anew whenever a
//! viewer comes, goes, or its estimate changes; whoever runs the encoders obeys. Today's policy is one
//! rendition for each stream and codec; more renditions at other rates are other answers of the same
//! form.

use std::collections::BTreeMap;

use crate::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use crate::vote;

/// The share of an estimate that is used: the rest is for what the estimate does not count.
const USED_SHARE_PERCENT: u64 = 90;

/// A viewer that can take less than this loses frames; it does not make everybody else's picture bad.
pub const DEFAULT_FLOOR: Bitrate = 300_000;

/// How a viewer comes to another rendition of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// With a key frame that is asked for.
    AskForKeyFrame,
    /// With whatever key frame comes next: what the viewer is sent will do until then.
    AwaitKeyFrame,
}

/// What one viewer can take of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The viewer.
    pub id: ViewerId,
    /// The stream it watches.
    pub stream: StreamId,
    /// The codec and profile that was agreed on.
    pub codec: u32,
    /// What it can take of this stream ([`usable`]); none if nothing limits it.
    pub usable: Option<Bitrate>,
    /// Whether it has a say in the rate: see [`vote`].
    pub votes: bool,
}

/// The sender's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// No encoder is asked for less.
    pub min_bitrate: Bitrate,
    /// No encoder is asked for more.
    pub max_bitrate: Bitrate,
    /// Viewers below this are not followed.
    pub floor: Bitrate,
}

/// What encoders shall make, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The renditions that are wanted and the rate of each. No other may run.
    pub renditions: BTreeMap<RenditionId, Bitrate>,
    /// Which rendition each viewer gets of each stream it watches.
    pub given: BTreeMap<(ViewerId, StreamId), RenditionId>,
}

/// What of an estimate for a whole session is left for its video streams together.
pub fn usable(estimate: Bitrate, audio: Bitrate, protection: Bitrate) -> Bitrate {
    let used = estimate / 100 * USED_SHARE_PERCENT;
    used.saturating_sub(audio).saturating_sub(protection)
}

impl Viewer {
    /// The one rendition of its stream in its codec.
    pub fn rendition(&self) -> RenditionId {
        RenditionId {
            stream: self.stream,
            codec: self.codec,
            level: 0,
        }
    }

    /// What it votes for, if it votes. One below the floor neither lowers the rate nor, being alone, raises it.
    pub fn vote(&self, policy: &Policy) -> Option<Bitrate> {
        let rate = self.usable.unwrap_or(policy.max_bitrate);
        (self.votes && rate >= policy.floor).then_some(policy.limited(rate))
    }
}

impl Policy {
    /// The rate within the limits.
    pub fn limited(&self, rate: Bitrate) -> Bitrate {
        rate.min(self.max_bitrate).max(self.min_bitrate)
    }
}

/// Computes the demand of all viewers.
///
/// A rendition has the rate that those of its viewers agree on that vote and can take the floor ([`vote::common_rate`]); if
/// none can, it is at the floor. One viewer alone is followed exactly.
pub fn demand(policy: &Policy, viewers: impl IntoIterator<Item = Viewer>) -> Demand {
    let mut demand = Demand::default();
    let mut votes: BTreeMap<RenditionId, Vec<Bitrate>> = BTreeMap::new();
    for viewer in viewers {
        let rendition = viewer.rendition();
        demand.given.insert((viewer.id, viewer.stream), rendition);
        let votes = votes.entry(rendition).or_default();
        votes.extend(viewer.vote(policy));
    }
    for (rendition, mut votes) in votes {
        demand
            .renditions
            .insert(rendition, rate(policy, &mut votes));
    }
    demand
}

/// The rate of a rendition with these votes. Changes their order.
pub fn rate(policy: &Policy, votes: &mut [Bitrate]) -> Bitrate {
    let rate = vote::common_rate(votes);
    rate.unwrap_or_else(|| policy.limited(policy.floor))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy {
        min_bitrate: 1_000,
        max_bitrate: 8_192_000,
        floor: DEFAULT_FLOOR,
    };

    fn viewer(id: u64, codec: u32, usable: Option<Bitrate>) -> Viewer {
        Viewer {
            id: ViewerId(id),
            stream: StreamId(0),
            codec,
            usable,
            votes: true,
        }
    }

    fn rates(viewers: &[Viewer]) -> Vec<Bitrate> {
        let demand = demand(&POLICY, viewers.iter().copied());
        demand.renditions.into_values().collect()
    }

    #[test]
    fn nobody_watches_and_nothing_runs() {
        assert_eq!(demand(&POLICY, []), Demand::default());
    }

    #[test]
    fn one_viewer_is_followed_exactly() {
        assert_eq!(rates(&[viewer(1, 0, Some(1_234_567))]), [1_234_567]);
        assert_eq!(rates(&[viewer(1, 0, Some(80_000_000))]), [8_192_000]);
        assert_eq!(rates(&[viewer(1, 0, None)]), [8_192_000]);
    }

    #[test]
    fn the_slowest_above_the_floor_decides() {
        let viewers = [
            viewer(1, 0, Some(4_000_000)),
            viewer(2, 0, Some(900_000)),
            viewer(3, 0, Some(50_000)),
        ];
        assert_eq!(rates(&viewers), [900_000]);
        assert_eq!(rates(&viewers[2..]), [DEFAULT_FLOOR]);
    }

    #[test]
    fn viewer_without_a_vote_lowers_nothing() {
        let mut viewers = [viewer(1, 0, Some(4_000_000)), viewer(2, 0, Some(900_000))];
        viewers[1].votes = false;
        assert_eq!(rates(&viewers), [4_000_000]);
    }

    #[test]
    fn two_codecs_are_two_renditions() {
        let viewers = [
            viewer(1, 0, Some(2_000_000)),
            viewer(2, 1, Some(500_000)),
            viewer(3, 0, Some(3_000_000)),
        ];
        assert_eq!(rates(&viewers), [2_000_000, 500_000]);
    }

    #[test]
    fn audio_and_protection_come_first() {
        assert_eq!(usable(1_000_000, 64_000, 100_000), 736_000);
        assert_eq!(usable(50_000, 64_000, 0), 0);
    }

    fn viewers() -> impl Strategy<Value = Vec<Viewer>> {
        let usable = proptest::option::of(0..20_000_000u64);
        vec((0..3u32, 0..3u32, usable), 0..40).prop_map(|viewers| {
            viewers
                .into_iter()
                .enumerate()
                .map(|(id, (stream, codec, usable))| Viewer {
                    id: ViewerId(id as u64),
                    stream: StreamId(stream),
                    codec,
                    usable,
                    votes: true,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn everyone_gets_one_rendition_and_none_runs_for_nobody(viewers in viewers()) {
            let demand = demand(&POLICY, viewers.iter().copied());
            prop_assert_eq!(demand.given.len(), viewers.len());
            for rendition in demand.given.values() {
                prop_assert!(demand.renditions.contains_key(rendition));
            }
            for rendition in demand.renditions.keys() {
                prop_assert!(demand.given.values().any(|given| given == rendition));
            }
        }

        #[test]
        fn rates_are_within_the_limits_and_somebody_can_take_them(viewers in viewers()) {
            let demand = demand(&POLICY, viewers.iter().copied());
            for (rendition, rate) in demand.renditions {
                prop_assert!((DEFAULT_FLOOR..=POLICY.max_bitrate).contains(&rate));
                let mut of_it = viewers.iter().filter(|viewer| viewer.rendition() == rendition);
                let is_taken = of_it.any(|viewer| viewer.usable.unwrap_or(Bitrate::MAX) >= rate);
                prop_assert!(is_taken || rate == DEFAULT_FLOOR);
            }
        }

        #[test]
        fn the_order_of_viewers_does_not_matter(viewers in viewers()) {
            let forwards = demand(&POLICY, viewers.iter().copied());
            let backwards = demand(&POLICY, viewers.iter().rev().copied());
            prop_assert_eq!(forwards, backwards);
        }
    }
}
