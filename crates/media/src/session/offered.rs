//! What we offer, and what of it an answer takes.

use str0m::media::MediaKind;

use super::agreement::{self, AgreedFormat, Agreement};
use super::config::{Codec, CodecConfig, OfferExtent, SessionConfig, StreamConfig};
use super::description::Description;
use super::end::EndReason;
use super::format::{self, Format};
use super::header_extensions::HeaderExtensions;
use super::payload_types::{PayloadTypeMapping, PayloadTypes};
use super::received_section::ReceivedSection;
use super::remote_description;
use crate::ids::{StreamId, StreamKind};

/// What we offer.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    pub(super) payload_types: PayloadTypes,
    /// What is sent.
    pub(super) sections: Vec<OfferedSection>,
    /// What is received, in the sections after those.
    pub(super) received: Vec<ReceivedSection>,
}

/// One stream of it.
#[derive(Clone, Debug)]
pub(super) struct OfferedSection {
    pub(super) stream: StreamId,
    pub(super) kind: MediaKind,
    /// The stream's place in the configuration, which numbers its section.
    pub(super) place: usize,
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
    /// refuses the first section of a group may lose the transport of all.
    pub(super) fn new(config: &SessionConfig) -> Result<Self, EndReason> {
        let mut offered = Self {
            payload_types: PayloadTypes::default(),
            sections: Vec::new(),
            received: Vec::new(),
        };
        let extent = extent(config);
        // Streams share the formats that they have in common.
        let mut known: Vec<(Codec, PayloadTypeMapping)> = Vec::new();
        let codecs = config.streams.iter().map(|stream| stream.codecs.len());
        let mut codecs_to_come: usize = codecs.sum();
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
                            && offered.payload_types.free().count() < 2 * (codecs_to_come + 1) =>
                        {
                            break;
                        }
                        None => {
                            let rtx = config.retransmission && kind == MediaKind::Video;
                            let claim = offered.payload_types.assign(offered_as, rtx);
                            let claim = claim.ok_or(EndReason::TooManyCodecs)?;
                            known.push((offered_as, claim));
                            claim
                        }
                    };
                    formats.push(OfferedFormat {
                        codec_number: codec.number,
                        alternate_number: codec.alternate_number,
                        codec: codec.codec,
                        offered_as,
                        claim,
                    });
                }
            }
            if formats.is_empty() {
                continue;
            }
            offered.sections.push(OfferedSection {
                stream: stream.id,
                kind,
                place,
                formats,
            });
        }
        let is_common = |format: &OfferedFormat| format::common_name(format.codec).is_some();
        let rank = |section: &OfferedSection| {
            let common = section.formats.iter().any(is_common);
            (section.kind == MediaKind::Video, !common)
        };
        offered.sections.sort_by_key(rank);
        if let Some(receive) = &config.receive {
            for kind in &receive.offered {
                let kind = match kind {
                    StreamKind::Video => MediaKind::Video,
                    StreamKind::Audio => MediaKind::Audio,
                };
                let types = &mut offered.payload_types;
                let section = ReceivedSection::offered(kind, receive, types, &mut known)?;
                offered.received.push(section);
            }
        }
        Ok(offered)
    }

    /// What a viewer's answer takes of it.
    pub(super) fn agree(
        &self,
        answer: &Description,
        config: &SessionConfig,
        preferred: &[(StreamId, u32)],
    ) -> Result<Vec<Agreement>, EndReason> {
        if answer.sections.len() != self.sections.len() + self.received.len() {
            return Err(EndReason::UnusableDescription);
        }
        let mut claims = PayloadTypes::default();
        let (sent, received) = answer.sections.split_at(self.sections.len());
        let sections = sent.iter().zip(&self.sections);
        let agreements = sections.map(|(section, offered)| {
            if section.media != agreement::media(offered.kind) {
                return Err(EndReason::UnusableDescription);
            }
            if remote_description::is_rejected(answer, section) {
                return Ok(Agreement::Rejected);
            }
            if !remote_description::is_receiving(answer, section) {
                return Ok(Agreement::Idle);
            }
            let formats = format::formats(section).into_iter().filter_map(|format| {
                let offered = offered.find(&format)?;
                let claim = claims.claim(PayloadTypeMapping {
                    payload_type: format.payload_type,
                    rtx: format.rtx.filter(|_| config.retransmission),
                    ..offered.claim
                })?;
                Some(AgreedFormat {
                    codec_number: offered.codec_number,
                    alternate_number: offered.alternate_number,
                    codec: offered.codec,
                    claim,
                    is_true_name: offered.offered_as == offered.codec,
                    format,
                })
            });
            let extensions = HeaderExtensions::agreed(section, offered.kind, config);
            Ok(Agreement::sent(
                offered.stream,
                offered.kind,
                formats,
                extensions,
                preferred,
            ))
        });
        let mut agreements = agreements.collect::<Result<Vec<_>, _>>()?;
        for (section, offered) in received.iter().zip(&self.received) {
            if section.media != agreement::media(offered.kind) {
                return Err(EndReason::UnusableDescription);
            }
            let is_rejected = remote_description::is_rejected(answer, section);
            let sends = !is_rejected && remote_description::is_sending(answer, section);
            let agreed = sends
                .then(|| offered.answered(section, &mut claims))
                .flatten();
            agreements.push(match agreed {
                Some(agreed) => Agreement::Received(agreed),
                None if is_rejected => Agreement::Rejected,
                None => Agreement::Idle,
            });
        }
        Ok(agreements)
    }
}

impl OfferedSection {
    /// The formats as they are offered.
    pub(super) fn formats(&self, config: &SessionConfig) -> Vec<Format> {
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
