//! Formats that stand for one thing in all sections of a session, from its first description on.

use super::config::Codec;
use super::format::Format;
use super::payload_types::{PayloadTypeMapping, PayloadTypes};

/// The formats that a peer named. In sections that share a transport, a payload type means one thing; and str0m fixes what it
/// knows when a connection is made.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownFormats {
    payload_types: PayloadTypes,
    formats: Vec<(Format, PayloadTypeMapping)>,
    is_fixed: bool,
}

impl KnownFormats {
    /// Nothing further can be sent: the connection is made.
    pub(super) fn fix(&mut self) {
        self.is_fixed = true;
    }

    /// All that stand for something.
    pub(super) fn mappings(&self) -> impl Iterator<Item = &PayloadTypeMapping> {
        self.formats.iter().map(|(_, mapping)| mapping)
    }

    /// What stands for nothing yet, each as if it stood for video.
    pub(super) fn unused(&self) -> impl Iterator<Item = PayloadTypeMapping> {
        let mut all = self.payload_types.clone();
        std::iter::from_fn(move || all.assign(Codec::Vp8, false))
    }

    /// What stands for a format that is sent; none if it is new to a connection that is made, or its payload type stands for
    /// another.
    pub(super) fn claim_to_send(
        &mut self,
        codec: Codec,
        format: &Format,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        let known = self.find(format);
        known.or_else(|| (!self.is_fixed).then(|| self.add(codec, format, rtx))?)
    }

    /// What stands for a format that is received. Any payload type can be: see `connecting`.
    pub(super) fn claim_to_receive(
        &mut self,
        codec: Codec,
        format: &Format,
    ) -> Option<PayloadTypeMapping> {
        let known = self.find(format);
        known.or_else(|| self.add(codec, format, format.rtx))
    }

    /// The same format may stand in several sections. In the life of a connection a payload type means one thing, whatever its
    /// parameters (RFC 3264, section 8.3.2).
    fn find(&self, format: &Format) -> Option<PayloadTypeMapping> {
        let mut formats = self.formats.iter();
        let same = formats.find(|(known, _)| {
            known.payload_type == format.payload_type
                && known.encoding.eq_ignore_ascii_case(&format.encoding)
                && (self.is_fixed || known.parameters == format.parameters)
        });
        same.map(|(_, mapping)| *mapping)
    }

    /// Those that a peer took of an offer of ours.
    pub(super) fn insert(&mut self, format: &Format, mapping: PayloadTypeMapping) {
        let is_known = self.mappings().any(|known| known.number == mapping.number);
        if !is_known && self.payload_types.claim(mapping).is_some() {
            self.formats.push((format.clone(), mapping));
        }
    }

    fn add(
        &mut self,
        codec: Codec,
        format: &Format,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        let mapping = self
            .payload_types
            .claim_new(codec, format.payload_type, rtx)?;
        self.formats.push((format.clone(), mapping));
        Some(mapping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(payload_type: u8, encoding: &str) -> Format {
        Format {
            payload_type,
            rtx: None,
            encoding: encoding.to_owned(),
            parameters: None,
            feedback: Vec::new(),
        }
    }

    #[test]
    fn format_of_several_sections_is_one_and_a_payload_type_means_one_thing() {
        let mut known = KnownFormats::default();
        let first = known.claim_to_send(Codec::Vp8, &format(96, "VP8/90000"), None);
        assert!(first.is_some());
        let again = known.claim_to_receive(Codec::Vp8, &format(96, "vp8/90000"));
        assert_eq!(again, first);
        let other = known.claim_to_receive(Codec::Opus, &format(96, "opus/48000/2"));
        assert_eq!(other, None);
    }

    #[test]
    fn format_that_is_new_to_a_connection_is_received_and_not_sent() {
        let mut known = KnownFormats::default();
        let first = known.claim_to_send(Codec::Vp8, &format(96, "VP8/90000"), None);
        known.fix();
        let again = known.claim_to_send(Codec::Vp8, &format(96, "VP8/90000"), None);
        assert_eq!(again, first);
        let opus = format(111, "opus/48000/2");
        assert_eq!(known.claim_to_send(Codec::Opus, &opus, None), None);
        assert!(known.claim_to_receive(Codec::Opus, &opus).is_some());
    }
}
