//! Formats that stand for one thing in all sections of a session, from its first description on.

use str0m::media::MediaKind;

use crate::codec::Codec;
use crate::sdp::description::Description;
use crate::sdp::format::{self, Format};
use crate::sdp::payload_types::{PayloadTypeMapping, PayloadTypes};

/// What browsers call Opus: Chromium and Safari, Firefox.
const USUAL_OPUS: [u8; 2] = [111, 109];

/// Payload types that are kept for codecs of video, each with one for packets that are sent a second time.
const RESERVED_VIDEO: usize = 8;

/// Payload types that are kept for codecs of audio, beside the usual ones.
const RESERVED_AUDIO: usize = 2;

/// The formats that a peer named. In sections that share a transport, a payload type means one thing; and str0m fixes what it
/// knows when a connection is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownFormats {
    payload_types: PayloadTypes,
    formats: Vec<(Format, PayloadTypeMapping)>,
    /// What a connection that is made can carry beside those, where the peer named it or we did.
    reserved: Vec<Reserved>,
    is_fixed: bool,
}

#[derive(Clone, Debug)]
struct Reserved {
    mapping: PayloadTypeMapping,
    /// As the peer described it.
    format: Option<Format>,
}

impl KnownFormats {
    /// The connection is about to be made: from now on only what is known can be sent, and what is reserved now. That is what the
    /// peer's description has besides, what our offer had, and some more for codecs that may come later. Without `with_rtx` none of
    /// it has a payload type for packets that are sent a second time.
    pub(crate) fn fix(
        &mut self,
        remote: &Description,
        offered: &[(Codec, PayloadTypeMapping)],
        with_rtx: bool,
    ) {
        let mut reserve = Reserve {
            all: self.payload_types.clone(),
            with_rtx,
            reserved: Vec::new(),
        };
        let mut foreign = Vec::new();
        for section in &remote.sections {
            let kind = match section.media.as_str() {
                "video" => MediaKind::Video,
                "audio" => MediaKind::Audio,
                _ => continue,
            };
            for format in format::formats(section) {
                if let Some(clock) = format.clock(kind) {
                    let (payload_type, rtx) = (format.payload_type, format.rtx);
                    reserve.add((kind, clock), payload_type, rtx, Some(format));
                }
            }
            foreign.extend(format::payload_types(section));
        }
        for (_, offered) in offered {
            let shape = (offered.kind, offered.clock);
            reserve.add(shape, offered.payload_type, offered.rtx, None);
        }
        let opus = (MediaKind::Audio, Codec::Opus.clock());
        let usual = USUAL_OPUS.map(|payload_type| (opus, payload_type));
        let telephone = [Codec::Pcmu, Codec::Pcma].into_iter();
        let telephone = telephone.filter_map(|codec| {
            let payload_type = codec.static_payload_type()?;
            Some(((codec.kind(), codec.clock()), payload_type))
        });
        for (shape, payload_type) in usual.into_iter().chain(telephone) {
            if !foreign.contains(&payload_type) {
                reserve.add(shape, payload_type, None, None);
            }
        }
        let free = reserve.all.free().filter(|free| !foreign.contains(free));
        let mut free = free.collect::<Vec<_>>().into_iter();
        for payload_type in free.by_ref().take(RESERVED_AUDIO) {
            reserve.add(opus, payload_type, None, None);
        }
        let video = (MediaKind::Video, Codec::Vp8.clock());
        for _ in 0..RESERVED_VIDEO {
            let rtx = with_rtx.then(|| free.next_back()).flatten();
            if let Some(payload_type) = free.next() {
                reserve.add(video, payload_type, rtx, None);
            }
        }
        self.is_fixed = true;
        self.payload_types.skip_numbers_of(&reserve.all);
        self.reserved = reserve.reserved;
    }

    /// All that stand for something, and all that can come to.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = &PayloadTypeMapping> {
        let known = self.formats.iter().map(|(_, mapping)| mapping);
        known.chain(self.reserved.iter().map(|reserved| &reserved.mapping))
    }

    /// What stands for nothing, each as if it stood for video.
    pub(crate) fn unused(&self) -> impl Iterator<Item = PayloadTypeMapping> {
        let mut all = PayloadTypes::default();
        for mapping in self.mappings() {
            all.claim(*mapping);
        }
        std::iter::from_fn(move || all.assign(Codec::Vp8, false))
    }

    /// What stands for a format that is sent; none if a connection that is made cannot carry it, or its payload type stands for
    /// another.
    pub(crate) fn claim_to_send(
        &mut self,
        codec: Codec,
        format: &Format,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        if let Some(known) = self.find(format) {
            return Some(with_rtx_of(known, rtx));
        }
        match self.is_fixed {
            true => self.claim_reserved(codec, format, rtx),
            false => self.add(codec, format, rtx),
        }
    }

    /// The same of a format that is the answer to one of ours. Formats that are answered under two payload types are what they
    /// were answered as first.
    pub(crate) fn claim_answered(
        &mut self,
        offered: PayloadTypeMapping,
        codec: Codec,
        format: &Format,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        if self.is_fixed {
            return self.claim_to_send(codec, format, rtx);
        }
        let mapping = self.payload_types.claim(PayloadTypeMapping {
            payload_type: format.payload_type,
            rtx,
            ..offered
        })?;
        self.insert(format, mapping);
        Some(mapping)
    }

    /// What stands for a format that the peer sends, who takes it from our offer.
    pub(crate) fn claim_answered_to_receive(
        &mut self,
        offered: PayloadTypeMapping,
        codec: Codec,
        format: &Format,
    ) -> Option<PayloadTypeMapping> {
        if self.is_fixed {
            return self.claim_to_receive(codec, format);
        }
        // The peer may take what we send in the same codec under another payload type.
        let mapping = self.payload_types.claim(offered).or_else(|| {
            self.payload_types
                .claim_new(codec, offered.payload_type, offered.rtx)
        })?;
        self.insert(format, mapping);
        Some(mapping)
    }

    /// What stands for a format that is received. Any payload type can be: see `connecting`.
    pub(crate) fn claim_to_receive(
        &mut self,
        codec: Codec,
        format: &Format,
    ) -> Option<PayloadTypeMapping> {
        let known = self.find(format);
        known.or_else(|| self.add(codec, format, format.rtx))
    }

    /// What can be offered for a codec on a connection that is made: what the peer calls it, or else what is reserved and not
    /// among those that are `taken`.
    pub(crate) fn to_offer(
        &self,
        codec: Codec,
        taken: &[(Codec, PayloadTypeMapping)],
    ) -> Option<PayloadTypeMapping> {
        let is_free = |mapping: &PayloadTypeMapping| {
            let mut taken = taken.iter();
            !taken.any(|(_, taken)| taken.payload_type == mapping.payload_type)
        };
        let named = self
            .formats
            .iter()
            .map(|(format, mapping)| (Some(format), mapping))
            .chain(
                self.reserved
                    .iter()
                    .map(|it| (it.format.as_ref(), &it.mapping)),
            );
        let mut named = named.filter(|(_, mapping)| is_free(mapping));
        let named = named.find(|(format, _)| format.is_some_and(|format| format.takes(codec)));
        if let Some((_, mapping)) = named {
            return Some(*mapping);
        }
        let shape = (codec.kind(), codec.clock());
        let is_claimed = |mapping: &PayloadTypeMapping| {
            let mut formats = self.formats.iter();
            formats.any(|(_, known)| known.payload_type == mapping.payload_type)
        };
        let mut reserved = self.reserved.iter().filter(|it| it.format.is_none());
        let reserved = reserved.find(|Reserved { mapping, .. }| {
            (mapping.kind, mapping.clock) == shape && !is_claimed(mapping) && is_free(mapping)
        });
        reserved.map(|reserved| reserved.mapping)
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

    fn insert(&mut self, format: &Format, mapping: PayloadTypeMapping) {
        let mut known = self.formats.iter();
        if !known.any(|(_, known)| known.number == mapping.number) {
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

    fn claim_reserved(
        &mut self,
        codec: Codec,
        format: &Format,
        rtx: Option<u8>,
    ) -> Option<PayloadTypeMapping> {
        let place = self.reserved.iter().position(|Reserved { mapping, .. }| {
            mapping.payload_type == format.payload_type
                && (mapping.kind, mapping.clock) == (codec.kind(), codec.clock())
        })?;
        let mapping = self.reserved[place].mapping;
        self.payload_types.claim(mapping)?;
        self.reserved.remove(place);
        self.formats.push((format.clone(), mapping));
        Some(with_rtx_of(mapping, rtx))
    }
}

/// What is being reserved.
struct Reserve {
    all: PayloadTypes,
    with_rtx: bool,
    reserved: Vec<Reserved>,
}

impl Reserve {
    /// Reserves a payload type for a kind and a clock, in Hz, if it is free.
    fn add(
        &mut self,
        shape: (MediaKind, u32),
        payload_type: u8,
        rtx: Option<u8>,
        format: Option<Format>,
    ) {
        let rtx = rtx.filter(|_| self.with_rtx);
        let mapping = self.all.claim_as(shape, payload_type, rtx);
        self.reserved
            .extend(mapping.map(|mapping| Reserved { mapping, format }));
    }
}

/// str0m knows the payload type of packets that are sent a second time; the peer may not take them.
fn with_rtx_of(mapping: PayloadTypeMapping, rtx: Option<u8>) -> PayloadTypeMapping {
    PayloadTypeMapping {
        rtx: mapping.rtx.filter(|known| Some(*known) == rtx),
        ..mapping
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

    fn fixed(mut known: KnownFormats, remote: &str) -> KnownFormats {
        let remote = Description::parse(remote).expect("a description");
        known.fix(&remote, &[], true);
        known
    }

    #[test]
    fn format_that_is_known_goes_on_and_one_that_is_not_reserved_is_received_alone() {
        let mut known = KnownFormats::default();
        let first = known.claim_to_send(Codec::Vp8, &format(96, "VP8/90000"), None);
        let mut known = fixed(known, "v=0\r\n");
        let again = known.claim_to_send(Codec::Vp8, &format(96, "VP8/90000"), None);
        assert_eq!(again, first);
        let opus = format(120, "opus/48000/2");
        assert_eq!(known.claim_to_send(Codec::Opus, &opus, None), None);
        assert!(known.claim_to_receive(Codec::Opus, &opus).is_some());
    }

    #[test]
    fn formats_that_the_peer_named_or_that_are_usual_can_be_sent_later() {
        let remote = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 100 0\r\na=rtpmap:100 opus/48000/2\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 101 102\r\na=rtpmap:101 H264/90000\r\n\
            a=fmtp:101 packetization-mode=1\r\na=rtpmap:102 rtx/90000\r\na=fmtp:102 apt=101\r\n";
        let mut known = fixed(KnownFormats::default(), remote);
        let offered = known.to_offer(Codec::Opus, &[]).expect("the peer's");
        assert_eq!(offered.payload_type, 100);
        for (codec, format, rtx) in [
            (Codec::Opus, format(100, "opus/48000/2"), None),
            (Codec::Pcma, format(8, "PCMA/8000"), None),
            (
                Codec::H264 {
                    profile_level_id: 0x42_e0_1f,
                },
                format(101, "H264/90000"),
                Some(102),
            ),
        ] {
            let mapping = known.claim_to_send(codec, &format, rtx);
            let mapping = mapping.unwrap_or_else(|| panic!("{codec:?}"));
            assert_eq!(
                (mapping.payload_type, mapping.rtx),
                (format.payload_type, rtx)
            );
            assert_eq!((mapping.kind, mapping.clock), (codec.kind(), codec.clock()));
        }
    }

    #[test]
    fn numbers_of_formats_are_never_given_twice_and_offers_end_with_the_reserve() {
        let mut known = fixed(KnownFormats::default(), "v=0\r\n");
        let mut taken = Vec::new();
        let profile = |number: usize| Codec::Vp9 {
            profile: u8::try_from(number).expect("few"),
        };
        while let Some(mapping) = known.to_offer(profile(taken.len()), &taken) {
            taken.push((profile(taken.len()), mapping));
        }
        assert_eq!(taken.len(), RESERVED_VIDEO);
        assert!(taken.iter().all(|(_, mapping)| mapping.rtx.is_some()));
        let mut numbers: Vec<_> = known.mappings().map(|mapping| mapping.number).collect();
        let received = known.claim_to_receive(Codec::Vp8, &format(120, "VP8/90000"));
        numbers.extend(received.map(|mapping| mapping.number));
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }
}
