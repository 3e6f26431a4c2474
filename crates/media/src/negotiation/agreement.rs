//! What two descriptions agree on about one section.

use str0m::media::{MediaKind, Pt};

use crate::codec::Codec;
use crate::ids::StreamId;
use crate::negotiation::config::SessionConfig;
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::local_description::{Content, MAX_MESSAGE_BYTES, Sources};
use crate::negotiation::received_section::ReceivedSection;
use crate::sdp::description::Section;
use crate::sdp::format::{self, Format};
use crate::sdp::payload_types::PayloadTypeMapping;

/// What was agreed on about one section.
#[derive(Clone, Debug)]
pub(crate) enum Agreement {
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
pub(crate) struct AgreedFormat {
    pub(crate) codec_number: u32,
    pub(crate) alternate_number: Option<u32>,
    pub(crate) codec: Codec,
    pub(crate) claim: PayloadTypeMapping,
    /// As the viewer wrote it.
    pub(crate) format: Format,
    /// Whether that is what is sent, and not another name under which the viewer decodes it.
    pub(crate) is_true_name: bool,
}
impl Agreement {
    /// What a peer says of data channels.
    pub(crate) fn data(section: &Section) -> Self {
        let stated = section.value("max-message-size");
        let max_message_bytes = stated.map_or(Some(DEFAULT_MAX_MESSAGE_BYTES), |bytes| {
            // 0 is any length (RFC 8841, section 6).
            let bytes = bytes.parse().ok();
            bytes.map(|bytes| if bytes == 0 { MAX_MESSAGE_BYTES } else { bytes })
        });
        Self::Data {
            max_message_bytes: max_message_bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
        }
    }

    /// The first of each codec counts, the true name before others; the one that runs already goes first.
    pub(crate) fn sent(
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
    pub(crate) fn kind(&self) -> Option<MediaKind> {
        match self {
            Self::Sent { kind, .. } => Some(*kind),
            Self::Received(received) => Some(received.kind),
            _ => None,
        }
    }

    /// Whether anything is sent or received.
    pub(crate) fn has_media(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Received(_))
    }

    /// The stream that is sent.
    pub(crate) fn stream(&self) -> Option<(StreamId, MediaKind)> {
        match self {
            Self::Sent { stream, kind, .. } => Some((*stream, *kind)),
            _ => None,
        }
    }

    /// By the sender's numbers, the payload types under which the viewer takes codecs; the first was
    /// agreed on. Further numbers of the same codecs come last.
    pub(crate) fn payload_types(&self) -> Vec<(u32, Pt)> {
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
    pub(crate) fn takes_rtx(&self) -> bool {
        match self {
            Self::Sent { formats, .. } => formats
                .first()
                .is_some_and(|format| format.claim.rtx.is_some()),
            _ => false,
        }
    }

    /// The codec that was agreed on.
    pub(crate) fn codec(&self) -> Option<Codec> {
        match self {
            Self::Sent { formats, .. } => formats.first().map(|format| format.codec),
            _ => None,
        }
    }

    /// The header extensions.
    pub(crate) fn extensions(&self) -> Option<&HeaderExtensions> {
        match self {
            Self::Sent { extensions, .. } => Some(extensions),
            Self::Received(received) => Some(&received.extensions),
            _ => None,
        }
    }

    /// The formats in str0m's terms.
    pub(crate) fn placeholders(&self) -> Vec<Format> {
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
    pub(crate) fn content(
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
                encodings: received.encodings.clone(),
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
            Self::Data { .. } => Content::Data(section.protocol.clone()),
        }
    }
}
/// The feedback that we make use of.
pub(crate) fn feedback(kind: MediaKind, config: &SessionConfig) -> Vec<String> {
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
pub(crate) fn media(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "video",
        MediaKind::Audio => "audio",
    }
}
