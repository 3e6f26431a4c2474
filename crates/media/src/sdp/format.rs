//! Payload formats in descriptions: what a viewer takes, and how our codecs are written.
//!
//! str0m matches formats by rules of its own, which differ from codec to codec and are
//! stricter than viewers expect. As it only carries packets here, it is told of placeholders instead: all
//! video is VP8 and all sound PCMU to it, told apart by a number in their parameters.

use str0m::format::{Codec as Str0mCodec, CodecConfig as Str0mCodecs, FormatParams};
use str0m::media::{Frequency, MediaKind};

use crate::codec::Codec;
use crate::sdp::description::Section;
use crate::sdp::h264_profile;
use crate::sdp::payload_types::PayloadTypeMapping;

/// A format that a section names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) payload_type: u8,
    /// Under which packets of it can be sent again (RFC 4588).
    pub(crate) rtx: Option<u8>,
    /// As after `a=rtpmap:96`.
    pub(crate) encoding: String,
    /// As after `a=fmtp:96`.
    pub(crate) parameters: Option<String>,
    /// As after `a=rtcp-fb:96`.
    pub(crate) feedback: Vec<String>,
}

/// The feedback that we offer of video, congestion control and retransmission aside.
pub(crate) const VIDEO_FEEDBACK: [&str; 2] = ["ccm fir", "nack pli"];
/// Asking for packets again (RFC 4585).
pub(crate) const NACK: &str = "nack";
/// What congestion control needs (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_FEEDBACK: &str = "transport-cc";
/// What viewers can do that cannot do that (draft-alvestrand-rmcat-remb).
pub(crate) const RECEIVER_ESTIMATE: &str = "goog-remb";

/// The feedback that is of use; the rest is not kept.
const KNOWN_FEEDBACK: [&str; 5] = [
    TRANSPORT_FEEDBACK,
    RECEIVER_ESTIMATE,
    VIDEO_FEEDBACK[0],
    VIDEO_FEEDBACK[1],
    NACK,
];

/// Payload types that there are (RFC 3550, section 5.1).
const PAYLOAD_TYPES: usize = 128;

/// The formats of a section in its order, without those that only serve others. A section of any length is read once.
pub(crate) fn formats(section: &Section) -> Vec<Format> {
    let attributes = Attributes::read(section);
    let mut formats: Vec<Format> = Vec::new();
    let mut seen = [false; PAYLOAD_TYPES];
    let mut all = Vec::new();
    for name in &section.formats {
        if let Some(payload_type) = payload_type(name)
            && !std::mem::replace(&mut seen[usize::from(payload_type)], true)
        {
            all.push(payload_type);
        }
    }
    for payload_type in &all {
        let of = &attributes.of[usize::from(*payload_type)];
        let Some(encoding) = of.encoding.filter(|encoding| !is_rtx(encoding)) else {
            continue;
        };
        formats.push(Format {
            payload_type: *payload_type,
            rtx: None,
            encoding: encoding.to_owned(),
            parameters: of.parameters.map(str::to_owned),
            feedback: attributes.feedback(of),
        });
    }
    for payload_type in all {
        let of = &attributes.of[usize::from(payload_type)];
        let (Some(_), Some(parameters)) = (of.encoding.filter(|it| is_rtx(it)), of.parameters)
        else {
            continue;
        };
        let apt = parameter(parameters, "apt").and_then(|apt| apt.parse().ok());
        let of = |format: &&mut Format| Some(format.payload_type) == apt;
        if let Some(format) = formats.iter_mut().find(of) {
            format.rtx.get_or_insert(payload_type);
        }
    }
    formats
}

/// All payload types that a section names, those that only serve others among them.
pub(crate) fn payload_types(section: &Section) -> impl Iterator<Item = u8> {
    section.formats.iter().filter_map(|name| payload_type(name))
}

/// What a section says of payload types.
struct Attributes<'a> {
    of: [OfPayloadType<'a>; PAYLOAD_TYPES],
    /// Of all (`a=rtcp-fb:*`).
    feedback: Vec<usize>,
}

#[derive(Clone, Default)]
struct OfPayloadType<'a> {
    /// As after `a=rtpmap:96`.
    encoding: Option<&'a str>,
    /// As after `a=fmtp:96`.
    parameters: Option<&'a str>,
    /// By their places among [`KNOWN_FEEDBACK`], in the order of the section.
    feedback: Vec<usize>,
}

impl<'a> Attributes<'a> {
    /// The first line of each kind counts.
    fn read(section: &'a Section) -> Self {
        let mut attributes = Self {
            of: std::array::from_fn(|_| OfPayloadType::default()),
            feedback: Vec::new(),
        };
        for line in &section.lines {
            let Some((attribute, value)) =
                line.strip_prefix("a=").and_then(|it| it.split_once(':'))
            else {
                continue;
            };
            let Some((of, value)) = value.trim().split_once(' ') else {
                continue;
            };
            let value = value.trim();
            let all = &mut attributes.feedback;
            let of = payload_type(of).map(|it| &mut attributes.of[usize::from(it)]);
            match (attribute, of) {
                ("rtpmap", Some(of)) => {
                    of.encoding.get_or_insert(value);
                }
                ("fmtp", Some(of)) => {
                    of.parameters.get_or_insert(value);
                }
                ("rtcp-fb", of) => {
                    let known = KNOWN_FEEDBACK.iter().position(|known| *known == value);
                    let is_for_all = line.starts_with("a=rtcp-fb:*");
                    let list = of.map(|of| &mut of.feedback);
                    let list = list.or_else(|| is_for_all.then_some(all));
                    if let (Some(known), Some(list)) = (known, list)
                        && !list.contains(&known)
                    {
                        list.push(known);
                    }
                }
                _ => {}
            }
        }
        attributes
    }

    fn feedback(&self, of: &OfPayloadType<'_>) -> Vec<String> {
        let own = of.feedback.iter().filter(|it| !self.feedback.contains(it));
        let all = self.feedback.iter().chain(own);
        all.map(|known| KNOWN_FEEDBACK[*known].to_owned()).collect()
    }
}

fn payload_type(text: &str) -> Option<u8> {
    let number = text.parse().ok()?;
    (usize::from(number) < PAYLOAD_TYPES).then_some(number)
}

impl Format {
    /// Whether who takes this format takes the codec.
    pub(crate) fn takes(&self, codec: Codec) -> bool {
        self.is_named_as(codec) && self.parameters_take(codec)
    }

    /// Whether an answer with this format means the codec that was offered under its number, although
    /// it does not say all: GStreamer leaves out the profile.
    pub(crate) fn repeats(&self, codec: Codec) -> bool {
        let parameters = self.parameters.as_deref().unwrap_or_default();
        let h264 = matches!(codec, Codec::H264 { .. });
        let mode = parameter(parameters, "packetization-mode") == Some("1");
        let profile = parameter(parameters, "profile-level-id").is_some();
        h264 && mode && !profile && self.is_named_as(codec)
    }

    /// Whether a viewer that takes this format takes the codec under one of its names.
    pub(crate) fn takes_by_any_name(&self, codec: Codec) -> bool {
        offered_as(codec).any(|name| self.takes(name))
    }

    /// Whether it is a format of the codec, whichever profile.
    pub(crate) fn is_named_as(&self, codec: Codec) -> bool {
        let mut encoding = self.encoding.split('/');
        let mut expected = self::encoding(codec).split('/');
        let name = |name: Option<&str>| name.unwrap_or_default().to_ascii_lowercase();
        let same =
            name(encoding.next()) == name(expected.next()) && encoding.next() == expected.next();
        // Not everybody says that Opus always has two channels (RFC 7587, section 7).
        let channels = (encoding.next(), expected.next());
        same && matches!(
            channels,
            (None, _) | (Some("1"), None) | (Some("2"), Some("2"))
        )
    }

    /// The RTP clock, in Hz, of what can be carried of this kind: all video (RFC 3551, section 5), audio as Opus and G.711
    /// have it.
    pub(crate) fn clock(&self, kind: MediaKind) -> Option<u32> {
        let clock = self.encoding.split('/').nth(1)?.parse().ok()?;
        match (kind, clock) {
            (MediaKind::Video, 90_000) | (MediaKind::Audio, 48_000 | 8_000) => Some(clock),
            _ => None,
        }
    }

    fn parameters_take(&self, codec: Codec) -> bool {
        let parameter = |name| parameter(self.parameters.as_deref()?, name);
        let is = |name, default: u8, expected: u8| {
            parameter(name).map_or(Some(default), |value| value.parse().ok()) == Some(expected)
        };
        match codec {
            Codec::Vp8 | Codec::Opus | Codec::Pcmu | Codec::Pcma => true,
            Codec::Vp9 { profile } => is("profile-id", 0, profile),
            Codec::Av1 { profile } => is("profile", 0, profile),
            Codec::H265 { profile } => is("profile-id", 1, profile) && is("tier-flag", 0, 0),
            Codec::H264 { profile_level_id } => {
                let takes = |received| h264_profile::takes(received, profile_level_id);
                parameter("packetization-mode") == Some("1")
                    && self.profile_level_id().is_some_and(takes)
            }
        }
    }

    /// None if it cannot be read.
    fn profile_level_id(&self) -> Option<u32> {
        let parameters = self.parameters.as_deref().unwrap_or_default();
        match parameter(parameters, "profile-level-id") {
            Some(id) => u32::from_str_radix(id, 16).ok(),
            None => Some(h264_profile::DEFAULT),
        }
    }

    /// The parameters to answer with when this format is taken for the codec.
    pub(crate) fn answered_parameters(&self, codec: Codec) -> Option<String> {
        match codec {
            Codec::Vp8 | Codec::Pcmu | Codec::Pcma => None,
            Codec::Opus => offered_parameters(codec),
            Codec::Vp9 { .. } => {
                let parameters = self.parameters.as_deref().unwrap_or_default();
                let named = parameter(parameters, "profile-id").is_some();
                offered_parameters(codec).filter(|_| named)
            }
            Codec::H265 { .. } | Codec::Av1 { .. } => self.parameters.clone(),
            Codec::H264 { profile_level_id } => {
                let parameters = self.parameters.as_deref().unwrap_or_default();
                let asymmetry = parameter(parameters, "level-asymmetry-allowed") == Some("1");
                let received = self.profile_level_id()?;
                let answered = h264_profile::answered(received, profile_level_id, asymmetry);
                Some(h264_parameters(answered, asymmetry))
            }
        }
    }

    /// Writes the format into a section.
    pub(crate) fn write(&self, section: &mut Section) {
        let payload_type = self.payload_type;
        section.formats.push(payload_type.to_string());
        let mut line = |text: String| section.lines.push(text);
        line(format!("a=rtpmap:{payload_type} {}", self.encoding));
        for feedback in &self.feedback {
            line(format!("a=rtcp-fb:{payload_type} {feedback}"));
        }
        if let Some(parameters) = &self.parameters {
            line(format!("a=fmtp:{payload_type} {parameters}"));
        }
        if let Some(rtx) = self.rtx {
            let clock = self.encoding.split('/').nth(1).unwrap_or_default();
            line(format!("a=rtpmap:{rtx} rtx/{clock}"));
            line(format!("a=fmtp:{rtx} apt={payload_type}"));
            section.formats.push(rtx.to_string());
        }
    }

    /// The same format as str0m knows it.
    pub(crate) fn placeholder(&self, claim: PayloadTypeMapping) -> Self {
        // All else that viewers can ask for needs no negotiation to be answered.
        let feedback = [TRANSPORT_FEEDBACK].into_iter();
        let feedback = feedback.filter(|known| self.feedback.iter().any(|found| found == known));
        let encoding = match (claim.kind, claim.clock) {
            (MediaKind::Video, _) => "VP8/90000",
            (MediaKind::Audio, 8_000) => "PCMU/8000",
            (MediaKind::Audio, _) => "PCMU/48000/2",
        };
        Self {
            payload_type: claim.payload_type,
            rtx: claim.rtx,
            encoding: encoding.to_owned(),
            parameters: Some(format!("profile-id={}", claim.number)),
            feedback: feedback.map(str::to_owned).collect(),
        }
    }
}

/// Makes a placeholder known to str0m.
pub(crate) fn add_placeholder(codecs: &mut Str0mCodecs, claim: &PayloadTypeMapping) {
    let (codec, clock, channels) = match (claim.kind, claim.clock) {
        (MediaKind::Video, _) => (Str0mCodec::Vp8, Frequency::NINETY_KHZ, None),
        (MediaKind::Audio, 8_000) => (Str0mCodec::PCMU, Frequency::EIGHT_KHZ, None),
        (MediaKind::Audio, _) => (Str0mCodec::PCMU, Frequency::FORTY_EIGHT_KHZ, Some(2)),
    };
    let parameters = FormatParams {
        profile_id: Some(claim.number),
        ..FormatParams::default()
    };
    let rtx = claim.rtx.map(Into::into);
    let payload_type = claim.payload_type.into();
    codecs.add_config(payload_type, rtx, codec, clock, channels, parameters);
}

/// The codec as after `a=rtpmap:96`.
pub(crate) fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "VP8/90000",
        Codec::Vp9 { .. } => "VP9/90000",
        Codec::H264 { .. } => "H264/90000",
        Codec::H265 { .. } => "H265/90000",
        Codec::Av1 { .. } => "AV1/90000",
        Codec::Opus => "opus/48000/2",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

/// The codec as after `a=fmtp:96` in an offer.
pub(crate) fn offered_parameters(codec: Codec) -> Option<String> {
    match codec {
        Codec::Vp8 | Codec::Pcmu | Codec::Pcma => None,
        Codec::Vp9 { profile } => Some(format!("profile-id={profile}")),
        Codec::H264 { profile_level_id } => Some(h264_parameters(profile_level_id, true)),
        // Level 6, as browsers do: what is sent is below.
        Codec::H265 { profile } => Some(format!(
            "level-id=180;profile-id={profile};tier-flag=0;tx-mode=SRST"
        )),
        Codec::Av1 { profile } => Some(format!("level-idx=5;profile={profile};tier=0")),
        Codec::Opus => Some("minptime=10;useinbandfec=1".to_owned()),
    }
}

/// Under which names a codec is offered, the true one first.
pub(crate) fn offered_as(codec: Codec) -> impl Iterator<Item = Codec> {
    let sent = match codec {
        Codec::H264 { profile_level_id } => Some(profile_level_id),
        _ => None,
    };
    let also = sent.into_iter().flat_map(h264_profile::also_known_as);
    let also = also.map(|profile_level_id| Codec::H264 { profile_level_id });
    [codec].into_iter().chain(also)
}

/// The name under which every viewer takes a codec; none if some do not.
pub(crate) fn common_name(codec: Codec) -> Option<Codec> {
    match codec {
        Codec::Vp8 | Codec::Opus | Codec::Pcmu | Codec::Pcma => Some(codec),
        Codec::H264 { .. } => {
            let profile_level_id = h264_profile::CONSTRAINED_BASELINE;
            let common = Codec::H264 { profile_level_id };
            offered_as(codec).find(|name| *name == common)
        }
        Codec::Vp9 { .. } | Codec::H265 { .. } | Codec::Av1 { .. } => None,
    }
}

fn h264_parameters(profile_level_id: u32, asymmetry: bool) -> String {
    let asymmetry = if asymmetry {
        "level-asymmetry-allowed=1;"
    } else {
        ""
    };
    format!("{asymmetry}packetization-mode=1;profile-level-id={profile_level_id:06x}")
}

/// A parameter of `a=fmtp`, as in `apt=96;rtx-time=3000`.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    parameters.split(';').find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

fn is_rtx(encoding: &str) -> bool {
    encoding
        .split('/')
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("rtx"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::description::Description;

    fn section(text: &str) -> Section {
        let text = format!("v=0\r\n{text}");
        let description = Description::parse(&text).expect("a description");
        description.sections[0].clone()
    }

    fn format(encoding: &str, parameters: &str) -> Format {
        Format {
            payload_type: 96,
            rtx: None,
            encoding: encoding.to_owned(),
            parameters: Some(parameters.to_owned()),
            feedback: Vec::new(),
        }
    }

    #[test]
    fn formats_are_read_in_order_with_what_serves_them() {
        let formats = formats(&section(
            "m=video 9 UDP/TLS/RTP/SAVPF 98 96 97 99 0 300 x\r\n\
             a=rtpmap:96 VP8/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:97 rtx/90000\r\n\
             a=rtcp-fb:* transport-cc\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:98 H264/90000\r\n\
             a=fmtp:98 packetization-mode=1; profile-level-id=42E01F\r\n",
        ));
        assert_eq!(formats.len(), 2);
        assert_eq!((formats[0].payload_type, formats[0].rtx), (98, None));
        assert_eq!((formats[1].payload_type, formats[1].rtx), (96, Some(97)));
        assert_eq!(formats[1].feedback, ["transport-cc", "nack pli"]);
        assert!(formats[0].takes(Codec::H264 {
            profile_level_id: 0x42e01f
        }));
    }

    #[test]
    fn viewers_name_codecs_in_many_ways() {
        assert!(format("vp8/90000", "max-fs=12288;max-fr=60").takes(Codec::Vp8));
        assert!(format("OPUS/48000/2", "stereo=1").takes(Codec::Opus));
        assert!(format("opus/48000", "").takes(Codec::Opus));
        assert!(!format("opus/48000/6", "").takes(Codec::Opus));
        let vp9 = |profile| Codec::Vp9 { profile };
        assert!(format("VP9/90000", "").takes(vp9(0)));
        assert!(!format("VP9/90000", "").takes(vp9(2)));
        assert!(!format("VP9/90000", "profile-id=2").takes(vp9(0)));
        assert!(format("VP9/90000", "profile-id=2").takes(vp9(2)));
        let av1 = |profile| Codec::Av1 { profile };
        assert!(format("AV1/90000", "level-idx=8;profile=0;tier=0").takes(av1(0)));
        assert!(!format("AV1/90000", "profile=1").takes(av1(0)));
        assert!(format("AV1/90000", "profile=1").takes(av1(1)));
        let h265 = "level-id=156;profile-id=1;tier-flag=0;tx-mode=SRST";
        assert!(format("H265/90000", h265).takes(Codec::H265 { profile: 1 }));
        assert!(!format("H265/90000", "profile-id=2").takes(Codec::H265 { profile: 1 }));
        assert!(format("H265/90000", "profile-id=2").takes(Codec::H265 { profile: 2 }));
        assert!(format("PCMU/8000", "").takes(Codec::Pcmu));
        assert!(format("PCMA/8000/1", "").takes(Codec::Pcma));
        assert!(!format("PCMU/16000", "").takes(Codec::Pcmu));
    }

    #[test]
    fn h264_needs_a_packetization_mode_and_a_profile() {
        let codec = Codec::H264 {
            profile_level_id: 0x42e01f,
        };
        let takes = |parameters| format("H264/90000", parameters).takes(codec);
        assert!(takes("packetization-mode=1;profile-level-id=42e016"));
        assert!(takes("profile-level-id=42001f;packetization-mode=1"));
        assert!(takes("packetization-mode=1"));
        assert!(!takes("packetization-mode=0;profile-level-id=42e01f"));
        assert!(!takes("profile-level-id=42e01f"));
        assert!(!takes("packetization-mode=1;profile-level-id=4d001f"));
        assert!(!takes("packetization-mode=1;profile-level-id=zzz"));
    }
}
