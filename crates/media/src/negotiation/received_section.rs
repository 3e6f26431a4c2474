//! Sections in which something is received: which formats are offered, and which are agreed on.

use str0m::media::MediaKind;

use crate::codec::Codec;
use crate::error::{ConfigError, SessionError};
use crate::negotiation::config::ReceiveConfig;
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::known_formats::KnownFormats;
use crate::sdp::description::Section;
use crate::sdp::format::{self, Format};
use crate::sdp::payload_types::{PayloadTypeMapping, PayloadTypes};
use crate::sdp::simulcast;

/// A section in which something is received.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedSection {
    pub(crate) kind: MediaKind,
    /// The preferred first.
    pub(crate) formats: Vec<ReceivedFormat>,
    pub(crate) extensions: HeaderExtensions,
    /// The names of the encodings of simulcast; none without it.
    pub(crate) encodings: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct ReceivedFormat {
    pub(crate) mapping: PayloadTypeMapping,
    pub(crate) codec: Codec,
    /// As we write it.
    pub(crate) format: Format,
}

impl ReceivedSection {
    /// What is offered for one section.
    pub(crate) fn offered(
        kind: MediaKind,
        config: &ReceiveConfig,
        payload_types: &mut PayloadTypes,
        known: &mut Vec<(Codec, PayloadTypeMapping)>,
    ) -> Result<Self, SessionError> {
        let mut formats = Vec::new();
        let codecs = config.codecs.iter().copied();
        for codec in codecs.filter(|codec| codec.kind() == kind) {
            let mapping = match known.iter().find(|(known, _)| *known == codec) {
                Some((_, mapping)) => *mapping,
                None => {
                    let assigned = payload_types.assign(codec, kind == MediaKind::Video);
                    let mapping = assigned.ok_or(ConfigError::TooManyCodecs)?;
                    known.push((codec, mapping));
                    mapping
                }
            };
            formats.push(ReceivedFormat {
                mapping,
                codec,
                format: Format {
                    payload_type: mapping.payload_type,
                    rtx: mapping.rtx,
                    encoding: format::encoding(codec).to_owned(),
                    parameters: format::offered_parameters(codec),
                    feedback: feedback(kind),
                },
            });
        }
        Ok(Self {
            kind,
            formats,
            extensions: HeaderExtensions::offered_to_receive(kind),
            encodings: Vec::new(),
        })
    }

    /// What a peer sends of what was offered, by its answer; it sends under the payload types of the offer (RFC 3264,
    /// section 6.1).
    pub(crate) fn answered(&self, section: &Section, known: &mut KnownFormats) -> Option<Self> {
        let answered = format::formats(section);
        let formats = self.formats.iter().filter_map(|offered| {
            let kept = answered.iter().find(|format| {
                format.payload_type == offered.mapping.payload_type
                    && format.is_named_as(offered.codec)
            })?;
            let mut offered = offered.clone();
            if kept.rtx.is_none() {
                offered.mapping.rtx = None;
            }
            offered.format.feedback = agreed_feedback(self.kind, kept);
            offered.mapping =
                known.claim_answered_to_receive(offered.mapping, offered.codec, &offered.format)?;
            Some(offered)
        });
        let formats: Vec<_> = formats.collect();
        let mut encodings = simulcast::sent(section);
        encodings.retain(|encoding| self.encodings.contains(encoding));
        (!formats.is_empty()).then(|| Self {
            kind: self.kind,
            formats,
            extensions: HeaderExtensions::agreed_to_receive(section, self.kind),
            encodings,
        })
    }

    /// What is taken of what a peer offers to send.
    pub(crate) fn taken(
        section: &Section,
        kind: MediaKind,
        config: &ReceiveConfig,
        known: &mut KnownFormats,
    ) -> Option<Self> {
        let mut formats: Vec<ReceivedFormat> = Vec::new();
        let rank = |codec: Codec| config.codecs.iter().position(|known| *known == codec);
        for format in format::formats(section) {
            let mut codecs = config.codecs.iter();
            let codec = codecs.find(|codec| codec.kind() == kind && format.is_named_as(**codec));
            let Some(codec) = codec.copied() else {
                continue;
            };
            let Some(mapping) = known.claim_to_receive(codec, &format) else {
                continue;
            };
            formats.push(ReceivedFormat {
                mapping,
                codec,
                format: Format {
                    rtx: mapping.rtx,
                    feedback: agreed_feedback(kind, &format),
                    ..format
                },
            });
        }
        formats.sort_by_key(|format| rank(format.codec));
        // Without names in packets they cannot be told apart.
        let encodings = match HeaderExtensions::name_encodings(section) {
            true => simulcast::sent(section),
            false => Vec::new(),
        };
        (!formats.is_empty()).then(|| Self {
            kind,
            formats,
            extensions: HeaderExtensions::agreed_to_receive(section, kind),
            encodings,
        })
    }

    /// The formats as descriptions have them.
    pub(crate) fn formats(&self) -> Vec<Format> {
        let formats = self.formats.iter();
        formats.map(|received| received.format.clone()).collect()
    }

    /// Whether packets that are missing may be asked for.
    pub(crate) fn has_nack(&self) -> bool {
        self.has_feedback(format::NACK)
    }

    /// Whether the peer's rate follows what the receiver says it can take (draft-alvestrand-rmcat-remb).
    pub(crate) fn has_remb(&self) -> bool {
        self.has_feedback(format::RECEIVER_ESTIMATE)
    }

    fn has_feedback(&self, feedback: &str) -> bool {
        let mut formats = self.formats.iter();
        formats.any(|received| received.format.feedback.iter().any(|it| it == feedback))
    }
}

/// The feedback that a receiver gives.
fn feedback(kind: MediaKind) -> Vec<String> {
    let mut feedback = vec![format::TRANSPORT_FEEDBACK];
    if kind == MediaKind::Video {
        feedback.push(format::RECEIVER_ESTIMATE);
        feedback.extend(format::VIDEO_FEEDBACK);
        feedback.push(format::NACK);
    }
    feedback.into_iter().map(str::to_owned).collect()
}

fn agreed_feedback(kind: MediaKind, format: &Format) -> Vec<String> {
    let mut agreed = feedback(kind);
    agreed.retain(|feedback| format.feedback.contains(feedback));
    // One of the two drives the peer's congestion control, and transport-wide feedback does it better.
    if agreed.iter().any(|it| it == format::TRANSPORT_FEEDBACK) {
        agreed.retain(|it| it != format::RECEIVER_ESTIMATE);
    }
    agreed
}
