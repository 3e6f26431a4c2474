//! When files that are being replaced can be read: once they have stayed as they are.
//!
//! A certificate that is written in place may be cut between two certificates for a moment, which nothing in it shows. So
//! files are read when two looks have found the same, and a chain that is shorter than the one in use is
//! taken after more of them.

use super::watched::Stamps;

/// Looks that have found the same before files are read.
const LOOKS: u32 = 2;

/// Looks that have found the same before a shorter chain is taken.
const LOOKS_FOR_SHORTER_CHAIN: u32 = 4;

/// What the last looks found, since files differ from those in use.
#[derive(Debug, Default)]
pub(super) struct Stability {
    found: Option<(Stamps, u32)>,
}

impl Stability {
    /// A look that found these. True if the files can be read.
    pub(super) fn looked(&mut self, stamps: &Stamps) -> bool {
        let looks = match self.found.take() {
            Some((found, looks)) if found == *stamps => looks.saturating_add(1),
            _ => 1,
        };
        self.found = Some((stamps.clone(), looks));
        looks >= LOOKS
    }

    /// Whether a chain of so many certificates can take the place of one of so many others.
    pub(super) fn allows_chain(&self, certificates: usize, in_use: usize) -> bool {
        let looks = self.found.as_ref().map_or(0, |(_, looks)| *looks);
        certificates >= in_use || looks >= LOOKS_FOR_SHORTER_CHAIN
    }
}
