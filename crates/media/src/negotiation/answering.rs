//! What of a viewer's offer is sent what, and what of it is received.

use str0m::media::MediaKind;

use crate::ids::StreamId;
use crate::negotiation::agreement::{self, AgreedFormat, Agreement};
use crate::negotiation::config::{SessionConfig, StreamConfig};
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::known_formats::KnownFormats;
use crate::negotiation::received_section::ReceivedSection;
use crate::sdp::description::{Description, Section};
use crate::sdp::format;
use crate::sdp::remote_description;

/// What of a peer's offer is sent what, and what is received. Each stream goes to the first section that takes it, or, if it is
/// bound to a place from before, to that.
pub(crate) fn answer(
    offer: &Description,
    config: &SessionConfig,
    preferred: &[(StreamId, u32)],
    known: &mut KnownFormats,
    bound: &[(StreamId, usize)],
) -> Vec<Agreement> {
    let mut agreements: Vec<_> = offer
        .sections
        .iter()
        .map(|section| match section {
            section if remote_description::is_rejected(offer, section) => Agreement::Rejected,
            section if section.is_media() => Agreement::Idle,
            section if section.is_data() => Agreement::data(section),
            _ => Agreement::Rejected,
        })
        .collect();
    let data = agreements
        .iter_mut()
        .filter(|it| matches!(it, Agreement::Data { .. }));
    // There is one association (RFC 8841, section 2).
    data.skip(1)
        .for_each(|further| *further = Agreement::Rejected);
    for stream in &config.streams {
        let bound_to = bound.iter().find(|(bound, _)| *bound == stream.id);
        let sections = offer.sections.iter().zip(&mut agreements);
        for (place, (section, agreement)) in sections.enumerate() {
            if bound_to.is_some_and(|(_, bound)| *bound != place) {
                continue;
            }
            let free = matches!(agreement, Agreement::Idle)
                && remote_description::is_receiving(offer, section);
            if !free || stream.kind().map(agreement::media) != Some(section.media.as_str()) {
                continue;
            }
            *agreement = agree_on_stream(stream, section, config, preferred, known);
            if matches!(agreement, Agreement::Sent { .. }) {
                break;
            }
        }
    }
    if let Some(receive) = &config.receive {
        for (section, agreement) in offer.sections.iter().zip(&mut agreements) {
            let sends = remote_description::is_sending(offer, section);
            let mut kinds = [MediaKind::Audio, MediaKind::Video].into_iter();
            let kind = kinds.find(|kind| agreement::media(*kind) == section.media);
            if let (Agreement::Idle, true, Some(kind)) = (&agreement, sends, kind)
                && let Some(taken) = ReceivedSection::taken(section, kind, receive, known)
            {
                *agreement = Agreement::Received(taken);
            }
        }
    }
    agreements
}

fn agree_on_stream(
    stream: &StreamConfig,
    section: &Section,
    config: &SessionConfig,
    preferred: &[(StreamId, u32)],
    known: &mut KnownFormats,
) -> Agreement {
    let Some(kind) = stream.kind() else {
        return Agreement::Idle;
    };
    let formats = format::formats(section).into_iter().filter_map(|format| {
        let mut codecs = stream.codecs.iter();
        let codec = codecs
            .find(|codec| codec.codec.kind() == kind && format.takes_by_any_name(codec.codec))?;
        let rtx = format.rtx.filter(|_| config.retransmission);
        let claim = known.claim_to_send(codec.codec, &format, rtx)?;
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
