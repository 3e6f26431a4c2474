//! What of a viewer's offer is sent what, and what of it is received.

use str0m::media::MediaKind;

use super::agreement::{self, AgreedFormat, Agreement, DEFAULT_MAX_MESSAGE_BYTES};
use super::config::{SessionConfig, StreamConfig};
use super::description::{Description, Section};
use super::end::EndReason;
use super::format::{self, Format};
use super::header_extensions::HeaderExtensions;
use super::local_description::MAX_MESSAGE_BYTES;
use super::payload_types::{PayloadTypeMapping, PayloadTypes};
use super::received_section::{KnownFormats, ReceivedSection};
use super::remote_description;
use crate::ids::StreamId;

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
            if !free || stream.kind().map(agreement::media) != Some(section.media.as_str()) {
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
            let mut kinds = [MediaKind::Audio, MediaKind::Video].into_iter();
            let kind = kinds.find(|kind| agreement::media(*kind) == section.media);
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
