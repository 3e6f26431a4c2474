//! What is offered, and what a viewer and we agree on.

use str0m::media::{MediaKind, Pt};

use super::config::{Codec, CodecConfig, OfferExtent, SessionConfig, StreamConfig};
use super::description::{Description, Section};
use super::end::EndReason;
use super::format::{self, Format};
use super::header_extensions::HeaderExtensions;
use super::local_description::{Content, MAX_MESSAGE_BYTES, Sources};
use super::payload_types::{PayloadTypeMapping, PayloadTypes};
use super::received_section::{KnownFormats, ReceivedSection};
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

/// What was agreed on about one section.
#[derive(Clone, Debug)]
pub(super) enum Agreement {
    /// A stream is sent, in one of these; the first was agreed on.
    Sent {
        stream: StreamId,
        kind: MediaKind,
        formats: Vec<AgreedFormat>,
        extensions: HeaderExtensions,
    },
    /// Something is received.
    Received(ReceivedSection),
    /// Media that is neither sent nor received.
    Idle,
    /// The viewer does not want the section, or it is of a kind that we know nothing of.
    Rejected,
    /// Data channels.
    Data {
        /// The longest message that the viewer takes.
        max_message_bytes: usize,
    },
}

/// What the viewer takes who does not say (RFC 8841, section 6.1).
const DEFAULT_MAX_MESSAGE_BYTES: usize = 65_536;

#[derive(Clone, Debug)]
pub(super) struct AgreedFormat {
    codec_number: u32,
    alternate_number: Option<u32>,
    codec: Codec,
    claim: PayloadTypeMapping,
    /// As the viewer wrote it.
    format: Format,
    /// Whether that is what is sent, and not another name under which the viewer decodes it.
    is_true_name: bool,
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
        let received = received
            .iter()
            .zip(&self.received)
            .map(|(section, offered)| {
                if section.media != media(offered.kind) {
                    return Err(EndReason::UnusableDescription);
                }
                if remote_description::is_rejected(answer, section) {
                    return Ok(Agreement::Rejected);
                }
                let sends = remote_description::is_sending(answer, section);
                let agreed = offered.answered(section).filter(|_| sends);
                Ok(agreed.map_or(Agreement::Idle, Agreement::Received))
            });
        let sections = sent.iter().zip(&self.sections);
        let agreements = sections.map(|(section, offered)| {
            if section.media != media(offered.kind) {
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
        agreements.chain(received).collect()
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
            feedback: feedback(self.kind, config),
        });
        formats.collect()
    }

    /// Which of the offered formats the viewer means: payload types need not be the same in both
    /// directions, but tell best.
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

/// What of a viewer's offer is sent what: each stream goes to the first section that takes it.
pub(super) fn answer(
    offer: &Description,
    config: &SessionConfig,
    preferred: &[(StreamId, u32)],
    claims: &mut PayloadTypes,
) -> Result<Vec<Agreement>, EndReason> {
    let mut agreements: Vec<_> = offer
        .sections
        .iter()
        .map(|section| match section {
            section if remote_description::is_rejected(offer, section) => Agreement::Rejected,
            section if section.is_media() => Agreement::Idle,
            section if section.is_data() => {
                let stated = section.value("max-message-size");
                let max_message_bytes = stated.map_or(Some(DEFAULT_MAX_MESSAGE_BYTES), |bytes| {
                    // 0 is any length (RFC 8841, section 6).
                    let bytes = bytes.parse().ok();
                    bytes.map(|bytes| if bytes == 0 { MAX_MESSAGE_BYTES } else { bytes })
                });
                let max_message_bytes = max_message_bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES);
                Agreement::Data { max_message_bytes }
            }
            _ => Agreement::Rejected,
        })
        .collect();
    let mut known: Vec<(Format, PayloadTypeMapping)> = Vec::new();
    for stream in &config.streams {
        let sections = offer.sections.iter().zip(&mut agreements);
        for (section, agreement) in sections {
            let free = matches!(agreement, Agreement::Idle)
                && remote_description::is_receiving(offer, section);
            if !free || stream.kind().map(media) != Some(section.media.as_str()) {
                continue;
            }
            *agreement = agree_on_stream(stream, section, config, preferred, &mut known, claims);
            if matches!(agreement, Agreement::Sent { .. }) {
                break;
            }
        }
    }
    if let Some(receive) = &config.receive {
        let mut known = KnownFormats::default();
        for (section, agreement) in offer.sections.iter().zip(&mut agreements) {
            let sends = remote_description::is_sending(offer, section);
            let kind = [MediaKind::Audio, MediaKind::Video].into_iter();
            let kind = kind.filter(|kind| media(*kind) == section.media).next();
            if let (Agreement::Idle, true, Some(kind)) = (&agreement, sends, kind)
                && let Some(taken) =
                    ReceivedSection::taken(section, kind, receive, claims, &mut known)
            {
                *agreement = Agreement::Received(taken);
            }
        }
    }
    if !agreements.iter().any(Agreement::has_media) {
        return Err(EndReason::NoCommonCodec);
    }
    Ok(agreements)
}

fn agree_on_stream(
    stream: &StreamConfig,
    section: &Section,
    config: &SessionConfig,
    preferred: &[(StreamId, u32)],
    known: &mut Vec<(Format, PayloadTypeMapping)>,
    claims: &mut PayloadTypes,
) -> Agreement {
    let Some(kind) = stream.kind() else {
        return Agreement::Idle;
    };
    let formats = format::formats(section).into_iter().filter_map(|format| {
        let mut codecs = stream.codecs.iter();
        let codec = codecs
            .find(|codec| codec.codec.kind() == kind && format.takes_by_any_name(codec.codec))?;
        // The same format may stand in several sections.
        let same = |(known, _): &&(Format, PayloadTypeMapping)| {
            known.payload_type == format.payload_type
                && known.encoding.eq_ignore_ascii_case(&format.encoding)
                && known.parameters == format.parameters
        };
        let claim = match known.iter().find(same) {
            Some((_, claim)) => *claim,
            None => {
                let rtx = format.rtx.filter(|_| config.retransmission);
                let claim = claims.claim_new(codec.codec, format.payload_type, rtx)?;
                known.push((format.clone(), claim));
                claim
            }
        };
        Some(AgreedFormat {
            codec_number: codec.number,
            alternate_number: codec.alternate_number,
            codec: codec.codec,
            claim,
            is_true_name: format.takes(codec.codec),
            format,
        })
    });
    let extensions = HeaderExtensions::agreed(section, kind, config);
    Agreement::sent(stream.id, kind, formats, extensions, preferred)
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

impl Agreement {
    /// The first of each codec counts, the true name before others; the one that runs already goes first.
    fn sent(
        stream: StreamId,
        kind: MediaKind,
        taken: impl Iterator<Item = AgreedFormat>,
        extensions: HeaderExtensions,
        preferred: &[(StreamId, u32)],
    ) -> Self {
        let mut formats: Vec<AgreedFormat> = Vec::new();
        for format in taken {
            let number = format.codec_number;
            let mut known = formats.iter_mut();
            match known.find(|known| known.codec_number == number) {
                Some(known) if format.is_true_name && !known.is_true_name => *known = format,
                Some(_) => {}
                None => formats.push(format),
            }
        }
        let runs = |format: &AgreedFormat| preferred.contains(&(stream, format.codec_number));
        if let Some(place) = formats.iter().position(runs) {
            formats[..=place].rotate_right(1);
        }
        match formats.is_empty() {
            true => Self::Idle,
            false => Self::Sent {
                stream,
                kind,
                formats,
                extensions,
            },
        }
    }

    /// The kind of media, if anything is sent or received.
    pub(super) fn kind(&self) -> Option<MediaKind> {
        match self {
            Self::Sent { kind, .. } => Some(*kind),
            Self::Received(received) => Some(received.kind),
            _ => None,
        }
    }

    /// Whether anything is sent or received.
    pub(super) fn has_media(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Received(_))
    }

    /// The stream that is sent.
    pub(super) fn stream(&self) -> Option<(StreamId, MediaKind)> {
        match self {
            Self::Sent { stream, kind, .. } => Some((*stream, *kind)),
            _ => None,
        }
    }

    /// By the sender's numbers, the payload types under which the viewer takes codecs; the first was
    /// agreed on. Further numbers of the same codecs come last.
    pub(super) fn payload_types(&self) -> Vec<(u32, Pt)> {
        let Self::Sent { formats, .. } = self else {
            return Vec::new();
        };
        let payload_type = |format: &AgreedFormat| format.claim.payload_type.into();
        let own = formats
            .iter()
            .map(|format| (format.codec_number, payload_type(format)));
        let also = formats
            .iter()
            .filter_map(|format| Some((format.alternate_number?, payload_type(format))));
        own.chain(also).collect()
    }

    /// Whether the viewer takes packets again that were agreed on.
    pub(super) fn takes_rtx(&self) -> bool {
        match self {
            Self::Sent { formats, .. } => formats
                .first()
                .is_some_and(|format| format.claim.rtx.is_some()),
            _ => false,
        }
    }

    /// The codec that was agreed on.
    pub(super) fn codec(&self) -> Option<Codec> {
        match self {
            Self::Sent { formats, .. } => formats.first().map(|format| format.codec),
            _ => None,
        }
    }

    /// What stands for the formats in this session.
    pub(super) fn claims(&self) -> Vec<PayloadTypeMapping> {
        match self {
            Self::Sent { formats, .. } => formats.iter().map(|format| format.claim).collect(),
            Self::Received(received) => received.formats.iter().map(|it| it.mapping).collect(),
            _ => Vec::new(),
        }
    }

    /// The header extensions.
    pub(super) fn extensions(&self) -> Option<&HeaderExtensions> {
        match self {
            Self::Sent { extensions, .. } => Some(extensions),
            Self::Received(received) => Some(&received.extensions),
            _ => None,
        }
    }

    /// The formats as str0m is told of them.
    pub(super) fn placeholders(&self) -> Vec<Format> {
        match self {
            Self::Sent { formats, .. } => {
                let formats = formats.iter();
                formats
                    .map(|agreed| agreed.format.placeholder(agreed.claim))
                    .collect()
            }
            Self::Received(received) => {
                let formats = received.formats.iter();
                formats
                    .map(|it| it.format.placeholder(it.mapping))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the viewer is answered, who offered this section. The extensions are those of the section that all sections
    /// agree on.
    pub(super) fn content(
        &self,
        section: &Section,
        config: &SessionConfig,
        all: &HeaderExtensions,
        sources: Sources,
    ) -> Content {
        match self {
            Self::Sent {
                kind,
                formats,
                extensions,
                ..
            } => {
                let possible = feedback(*kind, config);
                let formats = formats.iter().map(|agreed| {
                    let mut feedback = possible.clone();
                    feedback.retain(|possible| agreed.format.feedback.contains(possible));
                    Format {
                        rtx: agreed.claim.rtx,
                        parameters: agreed.format.answered_parameters(agreed.codec),
                        feedback,
                        ..agreed.format.clone()
                    }
                });
                Content::Sent {
                    formats: formats.collect(),
                    extensions: extensions.among(all),
                    sources,
                }
            }
            Self::Received(received) => Content::Received {
                formats: received.formats(),
                extensions: received.extensions.among(all),
            },
            Self::Idle => match format::formats(section).into_iter().next() {
                Some(format) => Content::Idle(Format {
                    rtx: None,
                    feedback: Vec::new(),
                    ..format
                }),
                None => Content::IdleAs(section.formats.clone()),
            },
            Self::Rejected => Content::Rejected(section.protocol.clone(), section.formats.clone()),
            Self::Data { .. } => Content::Data,
        }
    }
}

/// The feedback that we make use of.
fn feedback(kind: MediaKind, config: &SessionConfig) -> Vec<String> {
    let mut feedback = Vec::new();
    let video = kind == MediaKind::Video;
    if config.start_bitrate.is_some() {
        feedback.push(format::TRANSPORT_FEEDBACK);
        feedback.extend(video.then_some(format::RECEIVER_ESTIMATE));
    }
    if video {
        feedback.extend(format::VIDEO_FEEDBACK);
        feedback.extend(config.retransmission.then_some(format::NACK));
    }
    feedback.into_iter().map(str::to_owned).collect()
}

/// As after `m=`.
pub(super) fn media(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    }
}
