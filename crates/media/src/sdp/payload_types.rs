//! Which payload type stands for which format in one session.
//!
//! All sections share one transport, so a payload type means one thing in all of them (RFC 9143, section
//! 9.1). Descriptions in which it does not would be the end of str0m.

use std::ops::RangeInclusive;

use str0m::media::MediaKind;

use crate::codec::Codec;

/// Payload types for any format (RFC 3551), and those that are no payload types of RTCP either
/// (RFC 5761, section 4).
const FREE: [RangeInclusive<u8>; 2] = [96..=127, 35..=63];

/// The payload types in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct PayloadTypes {
    claims: Vec<PayloadTypeMapping>,
    /// Numbers of formats begin here.
    first_number: u32,
}

/// What stands for one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadTypeMapping {
    /// The format's number in this session.
    pub(crate) number: u32,
    pub(crate) kind: MediaKind,
    pub(crate) payload_type: u8,
    pub(crate) rtx: Option<u8>,
    /// The RTP clock, in Hz.
    pub(crate) clock: u32,
}

impl PayloadTypes {
    /// Finds payload types for a codec of ours, and for sending it again if that is wanted; none if all are taken.
    pub(crate) fn assign(&mut self, codec: Codec, rtx: bool) -> Option<PayloadTypeMapping> {
        let free: Vec<u8> = self.free().take(2).collect();
        let rtx = match rtx {
            true => Some(*free.get(1)?),
            false => None,
        };
        let usual = codec.static_payload_type();
        let usual = usual.filter(|payload_type| !self.is_taken(*payload_type));
        let claim = PayloadTypeMapping {
            number: self.next_number(),
            kind: codec.kind(),
            payload_type: usual.or_else(|| free.first().copied())?,
            rtx,
            clock: codec.clock(),
        };
        self.claims.push(claim);
        Some(claim)
    }

    /// Those that are not taken.
    pub(crate) fn free(&self) -> impl Iterator<Item = u8> {
        let all = FREE.into_iter().flatten();
        all.filter(move |payload_type| !self.is_taken(*payload_type))
    }

    /// Takes the payload types that a viewer names for a format; none if they stand for another, or
    /// others for this. If only the one for packets sent again is taken, there is none for them.
    pub(crate) fn claim(&mut self, wanted: PayloadTypeMapping) -> Option<PayloadTypeMapping> {
        let mut known = self.claims.iter();
        if let Some(known) = known.find(|known| known.number == wanted.number) {
            return (known.payload_type == wanted.payload_type).then_some(*known);
        }
        if self.is_taken(wanted.payload_type) {
            return None;
        }
        let is_free = |rtx: &u8| !self.is_taken(*rtx) && *rtx != wanted.payload_type;
        let claim = PayloadTypeMapping {
            rtx: wanted.rtx.filter(is_free),
            ..wanted
        };
        self.claims.push(claim);
        Some(claim)
    }

    /// The same for a format that was not known.
    pub(crate) fn claim_new(
        &mut self,
        codec: Codec,
        payload_type: u8,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        self.claim_as((codec.kind(), codec.clock()), payload_type, rtx)
    }

    /// The same for a format of which only the kind and the clock, in Hz, matter.
    pub(crate) fn claim_as(
        &mut self,
        (kind, clock): (MediaKind, u32),
        payload_type: u8,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        self.claim(PayloadTypeMapping {
            number: self.next_number(),
            kind,
            payload_type,
            rtx,
            clock,
        })
    }

    /// Gives none of the numbers from now on that another has given.
    pub(crate) fn skip_numbers_of(&mut self, other: &Self) {
        self.first_number = self.first_number.max(other.next_number());
    }

    fn next_number(&self) -> u32 {
        let numbers = self.claims.iter().map(|claim| claim.number + 1);
        numbers.fold(self.first_number, u32::max)
    }

    fn is_taken(&self, payload_type: u8) -> bool {
        self.claims
            .iter()
            .any(|claim| claim.payload_type == payload_type || claim.rtx == Some(payload_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(number: u32, payload_type: u8, rtx: Option<u8>) -> PayloadTypeMapping {
        PayloadTypeMapping {
            number,
            kind: MediaKind::Video,
            payload_type,
            rtx,
            clock: 90_000,
        }
    }

    #[test]
    fn payload_types_run_out() {
        let mut payload_types = PayloadTypes::default();
        let assigned = std::iter::from_fn(|| payload_types.assign(Codec::Vp8, true)).count();
        assert_eq!(assigned, 30);
        assert_eq!(payload_types.claims.first(), Some(&claim(0, 96, Some(97))));
        assert!(
            payload_types.assign(Codec::Opus, false).is_some(),
            "one is left"
        );
        assert!(payload_types.assign(Codec::Opus, false).is_none());
        let static_one = payload_types.assign(Codec::Pcma, false);
        assert_eq!(static_one.map(|claim| claim.payload_type), Some(8));
    }

    #[test]
    fn no_payload_type_stands_for_two_things() {
        let mut payload_types = PayloadTypes::default();
        let first = claim(0, 96, Some(97));
        assert_eq!(payload_types.claim(first), Some(first));
        assert_eq!(
            payload_types.claim(claim(0, 96, None)),
            Some(first),
            "it is known"
        );
        assert_eq!(payload_types.claim(claim(0, 98, None)), None);
        assert_eq!(payload_types.claim(claim(1, 97, None)), None);
        let shared = payload_types.claim(claim(1, 100, Some(97)));
        assert_eq!(shared, Some(claim(1, 100, None)));
        assert_eq!(
            payload_types.claim(claim(2, 101, Some(101))),
            Some(claim(2, 101, None))
        );
    }
}
