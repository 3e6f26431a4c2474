//! The rate of a rendition that several viewers get. No clock; time comes in.
//!
//! A rendition has one rate, and what a path takes is what its viewer reports. So viewers vote, and none alone decides for many:
//!
//! * A viewer that can take less than half of the median of the voters for [`PATIENCE`] leaves the vote: it then loses frames,
//!   as a viewer below the floor does, and votes again once it can take [`RETURNS_PERCENT`] of the median for as long.
//!   Until it leaves it counts as half of the median.
//! * The lowest of the votes is the rate. Of ten voters one, of twenty two (and so on: [`CROWD`]) lower it by no more than
//!   [`COST_PERCENT`] of what the others can take.
//!
//! Of an even number of voters the median is the lower one of the two in the middle. So of two viewers the slower one decides, whatever
//! it can take: nobody can say which of the two is the odd one, and a slow one is served. Among three to nine, one of them can cost the
//! others half; among ten and more, a tenth.

use std::time::{Duration, Instant};

use crate::ids::Bitrate;

/// A viewer that can take less than this share of the median leaves the vote.
pub const LEAVES_PERCENT: u64 = 50;

/// It comes back when it can take this share.
pub const RETURNS_PERCENT: u64 = 60;

/// For how long that has to be so.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Of so many voters, one may be passed over.
pub const CROWD: usize = 10;

/// What those who may be passed over cost the others at most.
pub const COST_PERCENT: u64 = 10;

/// Whether a viewer votes, and since when it has been otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Voter {
    is_out: bool,
    /// Since when it would be the other way round.
    contrary_since: Option<Instant>,
}

impl Voter {
    /// Whether it votes.
    pub fn votes(&self) -> bool {
        !self.is_out
    }

    /// Takes what the viewer can take now, and the median of those who vote.
    pub fn handle_vote(&mut self, vote: Bitrate, median: Bitrate, now: Instant) {
        let percent = match self.is_out {
            false => LEAVES_PERCENT,
            true => RETURNS_PERCENT,
        };
        let is_low = vote.saturating_mul(100) < median.saturating_mul(percent);
        if is_low == self.is_out {
            self.contrary_since = None;
            return;
        }
        let since = *self.contrary_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= PATIENCE {
            (self.is_out, self.contrary_since) = (is_low, None);
        }
    }

    /// When to call [`handle_vote`](Self::handle_vote) if nothing changes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.contrary_since.map(|since| since + PATIENCE)
    }
}

/// The median of votes; none if there are none. Changes their order.
pub fn median(votes: &mut [Bitrate]) -> Option<Bitrate> {
    let place = votes.len().checked_sub(1)? / 2;
    let (_, median, _) = votes.select_nth_unstable(place);
    Some(*median)
}

/// The rate that voters get; none if there are none. Changes the order of the votes.
pub fn common_rate(votes: &mut [Bitrate]) -> Option<Bitrate> {
    let passed_over = votes.len() / CROWD;
    let place = votes.len().checked_sub(1)? / 2;
    let (lower, median, _) = votes.select_nth_unstable(place);
    let lowest = lower.iter().copied().min().unwrap_or(*median);
    let others = match passed_over < lower.len() {
        true => *lower.select_nth_unstable(passed_over).1,
        false => *median,
    };
    let rate = lowest.max(share(*median, LEAVES_PERCENT));
    Some(rate.max(share(others, 100 - COST_PERCENT)))
}

fn share(rate: Bitrate, percent: u64) -> Bitrate {
    rate / 100 * percent + rate % 100 * percent / 100
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn rate(votes: &[Bitrate]) -> Option<Bitrate> {
        common_rate(&mut votes.to_vec())
    }

    #[test]
    fn lowest_vote_above_half_of_the_median_is_the_rate() {
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[7]), Some(7));
        assert_eq!(rate(&[8_000, 300]), Some(300), "of two the slower one");
        assert_eq!(rate(&[8_000, 5_000, 9_000]), Some(5_000));
        assert_eq!(rate(&[8_000, 300, 9_000]), Some(4_000));
        assert_eq!(rate(&[300, 300, 8_000, 9_000]), Some(300), "half of all");
    }

    #[test]
    fn one_of_twenty_costs_the_others_a_tenth() {
        for hostile in [0, 1, 334_000, 4_100_000, 7_000_000] {
            let mut votes = vec![8_000_000; 19];
            votes.push(hostile);
            assert_eq!(rate(&votes), Some(7_200_000), "{hostile}");
            votes.push(hostile);
            assert_eq!(rate(&votes), Some(7_200_000), "and so do two");
        }
    }

    #[test]
    fn voter_below_half_leaves_after_a_while_and_returns_when_it_is_well_above() {
        let begin = Instant::now();
        let mut voter = Voter::default();
        voter.handle_vote(499, 1_000, begin);
        assert_eq!(voter.poll_timeout(), Some(begin + PATIENCE));
        voter.handle_vote(499, 1_000, begin + PATIENCE - MS);
        assert!(voter.votes());
        voter.handle_vote(500, 1_000, begin + PATIENCE);
        assert_eq!(voter.poll_timeout(), None, "it recovered");
        let begin = begin + 2 * PATIENCE;
        voter.handle_vote(1, 1_000, begin);
        voter.handle_vote(1, 1_000, begin + PATIENCE);
        assert!(!voter.votes());
        let begin = begin + 2 * PATIENCE;
        voter.handle_vote(599, 1_000, begin);
        assert_eq!(voter.poll_timeout(), None, "above half is not enough");
        voter.handle_vote(600, 1_000, begin);
        voter.handle_vote(600, 1_000, begin + PATIENCE);
        assert!(voter.votes());
    }

    proptest! {
        #[test]
        fn tenth_of_the_voters_costs_the_others_a_tenth(
            honest in vec(1..20_000_000u64, 9..60),
            hostile in vec(any::<u64>(), 6),
        ) {
            let lowest = honest.iter().copied().min().unwrap_or_default();
            let mut votes = honest.clone();
            for vote in hostile {
                if (votes.len() + 1) / CROWD > votes.len() - honest.len() {
                    votes.push(vote);
                }
            }
            let rate = rate(&votes).expect("there are votes");
            prop_assert!(rate >= share(lowest, 90), "{rate} {lowest}");
        }

        #[test]
        fn one_of_three_or_more_costs_the_others_half_at_most(
            honest in vec(1..20_000_000u64, 2..9),
            hostile in any::<u64>(),
        ) {
            let lowest = honest.iter().copied().min().unwrap_or_default();
            let rate = rate(&[honest, vec![hostile]].concat()).expect("there are votes");
            prop_assert!(rate >= share(lowest, 50));
        }

        #[test]
        fn few_voters_above_half_of_the_median_can_all_take_the_rate(
            mut votes in vec(any::<u64>(), 1..CROWD),
        ) {
            let rate = rate(&votes).expect("there are votes");
            let half = share(median(&mut votes).unwrap_or_default(), 50);
            prop_assert!(votes.iter().all(|vote| *vote >= rate || *vote < half || rate == half));
            prop_assert!(votes.iter().any(|vote| *vote >= rate));
        }
    }
}
