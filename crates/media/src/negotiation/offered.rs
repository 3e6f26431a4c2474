//! What we offer, and what of it an answer takes.

use str0m::media::MediaKind;

use crate::codec::Codec;
use crate::error::{ConfigError, PeerError, SessionError};
use crate::ids::{StreamId, StreamKind};
use crate::negotiation::agreement::{self, AgreedFormat, Agreement};
use crate::negotiation::config::{CodecConfig, OfferExtent, SessionConfig, StreamConfig};
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::known_formats::KnownFormats;
use crate::negotiation::received_section::ReceivedSection;
use crate::sdp::description::{Description, Section};
use crate::sdp::format::{self, Format};
use crate::sdp::payload_types::{PayloadTypeMapping, PayloadTypes};
use crate::sdp::remote_description;

/// What we offer.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    /// In the order of the description.
    pub(crate) sections: Vec<OfferedSection>,
    /// What stands for which codec in our offers.
    pub(crate) codecs: Vec<(Codec, PayloadTypeMapping)>,
}

/// One section of it.
#[derive(Clone, Debug)]
pub(crate) struct OfferedSection {
    /// As after `m=`.
    pub(crate) media: String,
    pub(crate) content: OfferedContent,
}

#[derive(Clone, Debug)]
pub(crate) enum OfferedContent {
    Sent(OfferedStream),
    Received(ReceivedSection),
    /// Media that is neither sent nor received.
    Idle,
    Rejected,
    Data,
}

/// A stream of it.
#[derive(Clone, Debug)]
pub(crate) struct OfferedStream {
    pub(crate) stream: StreamId,
    pub(crate) kind: MediaKind,
    formats: Vec<OfferedFormat>,
}

#[derive(Clone, Copy, Debug)]
struct OfferedFormat {
    /// The sender's number for the codec.
    codec_number: u32,
    /// See [`CodecConfig::alternate_number`].
    alternate_number: Option<u32>,
    /// What it is sent in.
    codec: Codec,
    /// Under which name it is offered; see [`format::offered_as`].
    offered_as: Codec,
    claim: PayloadTypeMapping,
}

impl Offered {
    /// What a sender of these streams offers: audio first, then video that every viewer takes, since a viewer that
    /// refuses the first section of a group may lose the transport of all. With the streams' places in the configuration.
    pub(crate) fn new(config: &SessionConfig) -> Result<(Self, Vec<usize>), SessionError> {
        let mut payload_types = PayloadTypes::default();
        let extent = extent(config);
        // Streams share the formats that they have in common.
        let mut known: Vec<(Codec, PayloadTypeMapping)> = Vec::new();
        let codecs = config.streams.iter().map(|stream| stream.codecs.len());
        let mut codecs_to_come: usize = codecs.sum();
        let mut streams = Vec::new();
        for (place, stream) in config.streams.iter().enumerate() {
            let Some(kind) = stream.kind() else {
                continue;
            };
            let mut formats = Vec::new();
            for (codec, names) in names(stream, extent) {
                codecs_to_come = codecs_to_come.saturating_sub(1);
                for (nth, offered_as) in names.into_iter().enumerate() {
                    let claim = known.iter().find(|(codec, _)| *codec == offered_as);
                    let claim = match claim {
                        Some((_, claim)) => *claim,
                        // Further names must not take what other codecs need.
                        None if nth > 0
                            && payload_types.free().count() < 2 * (codecs_to_come + 1) =>
                        {
                            break;
                        }
                        None => {
                            let rtx = config.retransmission && kind == MediaKind::Video;
                            let claim = payload_types.assign(offered_as, rtx);
                            let claim = claim.ok_or(ConfigError::TooManyCodecs)?;
                            known.push((offered_as, claim));
                            claim
                        }
                    };
                    formats.push(OfferedFormat::new(codec, offered_as, claim));
                }
            }
            if !formats.is_empty() {
                let stream = OfferedStream {
                    stream: stream.id,
                    kind,
                    formats,
                };
                streams.push((place, stream));
            }
        }
        let is_common = |format: &OfferedFormat| format::common_name(format.codec).is_some();
        let rank = |(_, stream): &(usize, OfferedStream)| {
            let common = stream.formats.iter().any(is_common);
            (stream.kind == MediaKind::Video, !common)
        };
        streams.sort_by_key(rank);
        let (places, streams): (Vec<_>, Vec<_>) = streams.into_iter().unzip();
        let mut sections: Vec<_> = streams.into_iter().map(OfferedSection::sent).collect();
        if let Some(receive) = &config.receive {
            for kind in &receive.offered {
                let kind = match kind {
                    StreamKind::Video => MediaKind::Video,
                    StreamKind::Audio => MediaKind::Audio,
                };
                let types = &mut payload_types;
                let received = ReceivedSection::offered(kind, receive, types, &mut known)?;
                sections.push(OfferedSection {
                    media: agreement::media(kind).to_owned(),
                    content: OfferedContent::Received(received),
                });
            }
        }
        let codecs = known;
        Ok((Self { sections, codecs }, places))
    }

    /// What a viewer's answer takes of it.
    pub(crate) fn agree(
        &self,
        answer: &Description,
        config: &SessionConfig,
        preferred: &[(StreamId, u32)],
        known: &mut KnownFormats,
    ) -> Result<Vec<Agreement>, SessionError> {
        if answer.sections.len() != self.sections.len() {
            return Err(PeerError::UnusableDescription.into());
        }
        let sections = answer.sections.iter().zip(&self.sections);
        let agreements = sections.map(|(section, offered)| {
            if section.media != offered.media {
                return Err(PeerError::UnusableDescription.into());
            }
            if remote_description::is_rejected(answer, section) {
                return Ok(Agreement::Rejected);
            }
            Ok(match &offered.content {
                OfferedContent::Sent(stream)
                    if remote_description::is_receiving(answer, section) =>
                {
                    stream.agree(section, config, preferred, known)
                }
                OfferedContent::Received(received)
                    if remote_description::is_sending(answer, section) =>
                {
                    let agreed = received.answered(section, known);
                    agreed.map_or(Agreement::Idle, Agreement::Received)
                }
                OfferedContent::Sent(_) | OfferedContent::Received(_) | OfferedContent::Idle => {
                    Agreement::Idle
                }
                OfferedContent::Rejected => Agreement::Rejected,
                OfferedContent::Data => Agreement::data(section),
            })
        });
        agreements.collect()
    }
}

impl OfferedSection {
    /// A section in which a stream is sent.
    pub(crate) fn sent(stream: OfferedStream) -> Self {
        Self {
            media: agreement::media(stream.kind).to_owned(),
            content: OfferedContent::Sent(stream),
        }
    }
}

impl OfferedFormat {
    fn new(codec: CodecConfig, offered_as: Codec, claim: PayloadTypeMapping) -> Self {
        Self {
            codec_number: codec.number,
            alternate_number: codec.alternate_number,
            codec: codec.codec,
            offered_as,
            claim,
        }
    }
}

impl OfferedStream {
    /// A stream that is offered when the connection is made: of each codec what can stand for it is asked for, and put among
    /// the others if it was not known. None if nothing can.
    pub(crate) fn further(
        stream: &StreamConfig,
        config: &SessionConfig,
        known: &KnownFormats,
        codecs: &mut Vec<(Codec, PayloadTypeMapping)>,
    ) -> Option<Self> {
        let kind = stream.kind()?;
        let mut formats = Vec::new();
        for (codec, names) in names(stream, extent(config)) {
            for offered_as in names {
                let claim = codecs.iter().find(|(codec, _)| *codec == offered_as);
                let claim = claim.map(|(_, claim)| *claim).or_else(|| {
                    let claim = known.to_offer(offered_as, codecs)?;
                    codecs.push((offered_as, claim));
                    Some(claim)
                });
                if let Some(claim) = claim {
                    formats.push(OfferedFormat::new(codec, offered_as, claim));
                }
            }
        }
        (!formats.is_empty()).then_some(Self {
            stream: stream.id,
            kind,
            formats,
        })
    }

    /// What a viewer's answer takes of it, in a section that it does not reject.
    fn agree(
        &self,
        section: &Section,
        config: &SessionConfig,
        preferred: &[(StreamId, u32)],
        known: &mut KnownFormats,
    ) -> Agreement {
        let formats = format::formats(section).into_iter().filter_map(|format| {
            let offered = self.find(&format)?;
            let rtx = format.rtx.filter(|_| config.retransmission);
            let claim = known.claim_answered(offered.claim, offered.codec, &format, rtx)?;
            Some(AgreedFormat {
                codec_number: offered.codec_number,
                alternate_number: offered.alternate_number,
                codec: offered.codec,
                claim,
                is_true_name: offered.offered_as == offered.codec,
                format,
            })
        });
        let extensions = HeaderExtensions::agreed(section, self.kind, config);
        Agreement::sent(self.stream, self.kind, formats, extensions, preferred)
    }

    /// The formats as they are offered.
    pub(crate) fn formats(&self, config: &SessionConfig) -> Vec<Format> {
        let formats = self.formats.iter();
        let formats = formats.map(|offered| Format {
            payload_type: offered.claim.payload_type,
            rtx: offered.claim.rtx,
            encoding: format::encoding(offered.offered_as).to_owned(),
            parameters: format::offered_parameters(offered.offered_as),
            feedback: agreement::feedback(self.kind, config),
        });
        formats.collect()
    }

    /// Which of the offered formats the viewer means: payload types need not be the same in both
    /// directions, but are the best sign.
    fn find(&self, format: &Format) -> Option<&OfferedFormat> {
        let repeated = self.formats.iter().find(|offered| {
            offered.claim.payload_type == format.payload_type && format.repeats(offered.codec)
        });
        if repeated.is_some() {
            return repeated;
        }
        let taken = || {
            self.formats
                .iter()
                .filter(|offered| format.takes(offered.offered_as))
        };
        let same = taken().find(|offered| offered.claim.payload_type == format.payload_type);
        same.or_else(|| taken().next())
    }
}

/// How much is offered: of streams without any common codec all, as before.
fn extent(config: &SessionConfig) -> OfferExtent {
    let mut codecs = config.streams.iter().flat_map(|stream| &stream.codecs);
    match codecs.any(|codec| format::common_name(codec.codec).is_some()) {
        true => config.extent,
        false => OfferExtent::Full,
    }
}

/// The codecs in which a stream is offered, each with its names, the preferred first.
fn names(stream: &StreamConfig, extent: OfferExtent) -> Vec<(CodecConfig, Vec<Codec>)> {
    let kind = stream.kind();
    let codecs = stream.codecs.iter().copied();
    let mut codecs = codecs.filter(|codec| Some(codec.codec.kind()) == kind);
    match extent {
        OfferExtent::Full => codecs
            .map(|codec| (codec, format::offered_as(codec.codec).collect()))
            .collect(),
        OfferExtent::Common => {
            let common =
                |codec: CodecConfig| Some((codec, vec![format::common_name(codec.codec)?]));
            codecs.find_map(common).into_iter().collect()
        }
    }
}
