//! Header extensions of RTP packets (RFC 8285): which are offered, where the viewer takes them, and what str0m is given.

use str0m::RtcConfig;
use str0m::media::MediaKind;
use str0m::rtp::Extension;

use crate::negotiation::config::SessionConfig;
use crate::rtp::extension_values::colour_space::{self, ColourSpaceHeader};
use crate::rtp::extension_values::dependency_descriptor::{self, DependencyDescriptorHeader};
use crate::rtp::extension_values::mid_header::{self, MidNames};
use crate::rtp::extension_values::timing;
use crate::sdp::description::Section;

/// draft-holmer-rmcat-transport-wide-cc-extensions-01.
const TRANSPORT_SEQUENCE_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// How the camera is turned (3GPP TS 26.114, section 7.4.5).
const VIDEO_ORIENTATION_URI: &str = "urn:3gpp:video-orientation";

/// The encoding of a packet, and that of one that is sent a second time (RFC 8852).
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// A header extension that we write or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderExtension {
    TransportSequence,
    Mid,
    PlayoutDelay,
    CaptureTime,
    ColourSpace,
    VideoOrientation,
    DependencyDescriptor,
    Rid,
    RepairedRid,
}

/// The identifiers of the header extensions that name what a packet belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameExtensions {
    /// Of its section.
    pub(crate) mid: Option<u8>,
    /// Of its encoding.
    pub(crate) rid: Option<u8>,
    /// Of that of a packet that is sent a second time.
    pub(crate) repaired_rid: Option<u8>,
}

/// Each with its identifier where it is offered; viewers may offer them elsewhere.
const OFFERED: [(u8, HeaderExtension); 9] = [
    (3, HeaderExtension::TransportSequence),
    (4, HeaderExtension::Mid),
    (5, HeaderExtension::PlayoutDelay),
    (6, HeaderExtension::CaptureTime),
    (7, HeaderExtension::ColourSpace),
    (8, HeaderExtension::VideoOrientation),
    (9, HeaderExtension::DependencyDescriptor),
    (10, HeaderExtension::Rid),
    (11, HeaderExtension::RepairedRid),
];

/// The header extensions of one section, or of several, with their identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderExtensions(Vec<(u8, HeaderExtension)>);

impl HeaderExtension {
    /// As descriptions name it.
    fn uri(self) -> &'static str {
        match self {
            Self::TransportSequence => TRANSPORT_SEQUENCE_URI,
            Self::Mid => mid_header::URI,
            Self::PlayoutDelay => timing::PLAYOUT_DELAY_URI,
            Self::CaptureTime => timing::CAPTURE_TIME_URI,
            Self::ColourSpace => colour_space::URI,
            Self::VideoOrientation => VIDEO_ORIENTATION_URI,
            Self::DependencyDescriptor => dependency_descriptor::URI,
            Self::Rid => RID_URI,
            Self::RepairedRid => REPAIRED_RID_URI,
        }
    }

    /// Whether str0m need not know it: it would look for the source itself.
    fn is_read_by_us_alone(self) -> bool {
        matches!(self, Self::Rid | Self::RepairedRid)
    }

    /// For str0m, which is not to take those for its own that it would not write as we do.
    fn uri_for_str0m(self) -> &'static str {
        match self {
            Self::Mid => mid_header::URI_FOR_STR0M,
            Self::ColourSpace => colour_space::URI_FOR_STR0M,
            other => other.uri(),
        }
    }

    fn for_str0m(self, names: &MidNames) -> Option<Extension> {
        Some(match self {
            Self::TransportSequence => Extension::TransportSequenceNumber,
            Self::Mid => Extension::with_serializer(self.uri_for_str0m(), names.clone()),
            Self::PlayoutDelay => Extension::PlayoutDelay,
            Self::CaptureTime => Extension::AbsoluteCaptureTime,
            Self::VideoOrientation => Extension::VideoOrientation,
            Self::ColourSpace => {
                Extension::with_serializer(self.uri_for_str0m(), ColourSpaceHeader)
            }
            Self::DependencyDescriptor => {
                Extension::with_serializer(self.uri_for_str0m(), DependencyDescriptorHeader)
            }
            Self::Rid | Self::RepairedRid => return None,
        })
    }

    /// Whether packets of this kind of media have it.
    fn is_for(self, kind: MediaKind) -> bool {
        let only_video = matches!(
            self,
            Self::PlayoutDelay
                | Self::ColourSpace
                | Self::VideoOrientation
                | Self::DependencyDescriptor
                | Self::Rid
                | Self::RepairedRid
        );
        kind == MediaKind::Video || !only_video
    }

    /// Whether a sender so configured writes it.
    fn is_written(self, config: &SessionConfig) -> bool {
        let mut streams = config.streams.iter();
        match self {
            Self::Mid | Self::CaptureTime => true,
            Self::VideoOrientation | Self::DependencyDescriptor | Self::Rid | Self::RepairedRid => {
                false
            }
            Self::TransportSequence => config.start_bitrate.is_some(),
            Self::PlayoutDelay => streams.any(|stream| stream.playout_delay.is_some()),
            Self::ColourSpace => {
                let mut codecs = streams.flat_map(|stream| &stream.codecs);
                codecs.any(|codec| codec.colour_space.is_some())
            }
        }
    }

    /// Whether a receiver reads it.
    fn is_read(self) -> bool {
        match self {
            Self::TransportSequence
            | Self::Mid
            | Self::CaptureTime
            | Self::VideoOrientation
            | Self::DependencyDescriptor
            | Self::Rid
            | Self::RepairedRid => true,
            Self::PlayoutDelay | Self::ColourSpace => false,
        }
    }
}

impl HeaderExtensions {
    /// What is offered for a section in which something is received.
    pub(crate) fn offered_to_receive(kind: MediaKind) -> Self {
        let offered = OFFERED.into_iter();
        let offered = offered.filter(|(_, it)| it.is_for(kind) && it.is_read());
        Self(offered.collect())
    }

    /// Those of a section of a peer that sends which we read, where the peer has them: the names of encodings also without
    /// simulcast, as Chromium cannot add a section with it once they were refused in another.
    pub(crate) fn agreed_to_receive(section: &Section, kind: MediaKind) -> Self {
        Self::of_section(section, |it| it.is_for(kind) && it.is_read())
    }

    /// Whether a section names the encodings of its packets.
    pub(crate) fn name_encodings(section: &Section) -> bool {
        let all = Self::of_section(section, |_| true);
        all.names().rid.is_some()
    }

    /// The identifiers of those that name what a packet belongs to.
    pub(crate) fn names(&self) -> NameExtensions {
        let identifier = |wanted| {
            let mut all = self.0.iter();
            let found = all.find(|(_, it)| *it == wanted);
            found.map(|(identifier, _)| *identifier)
        };
        NameExtensions {
            mid: identifier(HeaderExtension::Mid),
            rid: identifier(HeaderExtension::Rid),
            repaired_rid: identifier(HeaderExtension::RepairedRid),
        }
    }

    /// What is offered for a section.
    pub(crate) fn offered(config: &SessionConfig, kind: MediaKind) -> Self {
        let offered = OFFERED.into_iter();
        let offered = offered.filter(|(_, it)| it.is_for(kind) && it.is_written(config));
        Self(offered.collect())
    }

    /// Those of a viewer's section that we write, where the viewer has them.
    pub(crate) fn agreed(section: &Section, kind: MediaKind, config: &SessionConfig) -> Self {
        Self::of_section(section, |it| it.is_for(kind) && it.is_written(config))
    }

    /// Each once. Identifiers above 14 need another form of header (RFC 8285, section 4.3).
    fn of_section(section: &Section, is_used: impl Fn(HeaderExtension) -> bool) -> Self {
        let mut agreed = Self::default();
        for value in section.values("extmap") {
            let mut words = value.split_ascii_whitespace();
            let identifier = words
                .next()
                .and_then(|word| word.split('/').next()?.parse().ok());
            let (Some(identifier @ 1..=14), Some(uri)) = (identifier, words.next()) else {
                continue;
            };
            let mut known = OFFERED.into_iter().map(|(_, extension)| extension);
            let extension = known.find(|extension| extension.uri() == uri);
            if let Some(extension) = extension.filter(|it| is_used(*it)) {
                agreed.add(identifier, extension);
            }
        }
        agreed.0.sort_by_key(|(identifier, _)| *identifier);
        agreed
    }

    /// Adds those of another section. All share a transport, so an identifier means the same in each (RFC 9143, section 9.1):
    /// where a viewer says otherwise, the first counts.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (identifier, extension) in &other.0 {
            self.add(*identifier, *extension);
        }
    }

    /// Adds all that there are for what is written or read later, where they are offered, or else where an identifier is free.
    pub(crate) fn merge_all(&mut self) {
        for (identifier, extension) in OFFERED {
            let mut identifiers = [identifier].into_iter().chain(1..=14);
            let is_free = |identifier: &u8| self.0.iter().all(|(known, _)| known != identifier);
            if let Some(identifier) = identifiers.find(is_free) {
                self.add(identifier, extension);
            }
        }
    }

    /// Adds those of a peer's sections, whether anything is sent or received in them or not.
    pub(crate) fn merge_sections<'a>(&mut self, sections: impl Iterator<Item = &'a Section>) {
        for section in sections {
            self.merge(&Self::of_section(section, |_| true));
        }
    }

    /// These, under the identifiers that they have among all of a connection.
    pub(crate) fn as_among(&self, all: &Self) -> Self {
        let known = |extension: HeaderExtension| all.0.iter().find(|(_, it)| *it == extension);
        let these = self.0.iter().filter_map(|(_, it)| known(*it).copied());
        Self(these.collect())
    }

    /// What of these is also among the others.
    pub(crate) fn among(&self, all: &Self) -> Self {
        let both = self.0.iter().filter(|it| all.0.contains(it));
        Self(both.copied().collect())
    }

    fn add(&mut self, identifier: u8, extension: HeaderExtension) {
        let mut known = self.0.iter();
        if !known.any(|known| known.0 == identifier || known.1 == extension) {
            self.0.push((identifier, extension));
        }
    }

    /// The lines of a description.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let all = self.0.iter();
        all.map(|(identifier, it)| format!("a=extmap:{identifier} {}", it.uri()))
    }

    /// The lines of the description that str0m is given.
    pub(crate) fn lines_for_str0m(&self) -> impl Iterator<Item = String> {
        let all = self.0.iter();
        let all = all.filter(|(_, it)| !it.is_read_by_us_alone());
        all.map(|(identifier, it)| format!("a=extmap:{identifier} {}", it.uri_for_str0m()))
    }

    /// Makes them known to str0m.
    pub(crate) fn configure(&self, mut config: RtcConfig, names: &MidNames) -> RtcConfig {
        for (identifier, extension) in &self.0 {
            if let Some(extension) = extension.for_str0m(names) {
                config = config.set_extension(*identifier, extension);
            }
        }
        config
    }
}
