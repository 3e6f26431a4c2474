//! Units that stand behind their length in two bytes, as in aggregation packets of H.264 (RFC 6184, section 5.7.1) and H.265
//! (RFC 7798, section 4.4.2).

/// The units of an aggregation packet, in their order. The first that is malformed is the last.
#[derive(Clone, Copy, Debug)]
pub struct LengthPrefixedUnits<'a> {
    rest: &'a [u8],
}

/// A length that is zero, or exceeds what is left of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedUnit;

impl<'a> LengthPrefixedUnits<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }
}

impl<'a> Iterator for LengthPrefixedUnits<'a> {
    type Item = Result<&'a [u8], MalformedUnit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let unit = rest.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            rest.split_at_checked(length)
        });
        match unit {
            Some((unit @ [_, ..], rest)) => {
                self.rest = rest;
                Some(Ok(unit))
            }
            _ => Some(Err(MalformedUnit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_end_with_the_first_malformed_one() {
        let units = |bytes| LengthPrefixedUnits::new(bytes).collect::<Vec<_>>();
        let whole = [0, 1, 7, 0, 2, 8, 9];
        assert_eq!(units(&whole), [Ok(&[7][..]), Ok(&[8, 9])]);
        assert_eq!(units(&whole[..6]), [Ok(&[7][..]), Err(MalformedUnit)]);
        assert_eq!(units(&[0, 0, 0, 1, 7]), [Err(MalformedUnit)]);
        assert_eq!(units(&[0]), [Err(MalformedUnit)]);
        assert_eq!(units(&[]), []);
    }
}
