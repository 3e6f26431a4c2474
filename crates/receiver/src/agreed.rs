//! What two descriptions agree on, as far as one needs it to count packets by their headers.

use wigwag_media::sdp::{self, Description};

use super::StreamKind;

/// Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Formats that carry no frames of their own.
const NO_FRAMES: [&str; 7] = [
    "rtx",
    "red",
    "ulpfec",
    "flexfec-03",
    "flexfec",
    "CN",
    "telephone-event",
];

/// What is read of one section at the most; a description may be anything.
const MAX_NUMBERS: usize = 256;

/// What two descriptions agree on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) sections: Vec<Section>,
    /// The id of the header extension that numbers packets across streams, if feedback of it is agreed on.
    pub(super) transport_cc: Option<u8>,
}

/// A section with media (RFC 8866, 5.14).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) mid: String,
    pub(super) kind: StreamKind,
    /// Payload types of frames, and their clocks in Hz.
    formats: Vec<(u8, u32)>,
    /// The sources that the sender names.
    sources: Vec<u32>,
}

impl Agreed {
    /// From the sender's description and the answer to the offer; these may be the same. What cannot be read agrees on nothing.
    pub(super) fn read(sender: &str, answer: &str) -> Self {
        let read = |text| Description::parse(text).unwrap_or_default();
        let (sender, answer) = (read(sender), read(answer));
        let mut sections: Vec<_> = answer.sections.iter().map(Section::read).collect();
        for of_sender in &sender.sections {
            let mid = of_sender.value("mid").unwrap_or_default();
            if let Some(same) = sections.iter_mut().find(|same| same.mid == mid) {
                same.sources = sources(of_sender);
            }
        }
        let feedback = |feedback: &str| feedback.ends_with(" transport-cc");
        let is_agreed = values(&answer, "rtcp-fb").any(feedback);
        let mut numbers = values(&answer, "extmap").filter_map(transport_number);
        Self {
            sections,
            transport_cc: is_agreed.then(|| numbers.next()).flatten(),
        }
    }

    /// Which section a packet belongs to; none if it carries no frames.
    pub(super) fn section(&self, payload_type: u8, source: u32) -> Option<usize> {
        let fits = |section: &Section| section.clock(payload_type).is_some();
        let named = |section: &Section| fits(section) && section.sources.contains(&source);
        // A sender need not name its sources.
        let sections = &self.sections;
        sections
            .iter()
            .position(named)
            .or_else(|| sections.iter().position(fits))
    }
}

impl Section {
    fn read(section: &sdp::Section) -> Self {
        let is_audio = section.media == "audio";
        Self {
            mid: section.value("mid").unwrap_or_default().to_owned(),
            kind: if is_audio {
                StreamKind::Audio
            } else {
                StreamKind::Video
            },
            formats: section
                .values("rtpmap")
                .filter_map(frames)
                .take(MAX_NUMBERS)
                .collect(),
            sources: sources(section),
        }
    }

    /// The clock of a format in Hz; none of what carries no frames.
    pub(super) fn clock(&self, payload_type: u8) -> Option<u32> {
        let mut formats = self.formats.iter();
        let format = formats.find(|(number, _)| *number == payload_type)?;
        Some(format.1)
    }
}

/// The values of an attribute, wherever it stands.
fn values<'a>(description: &'a Description, name: &'a str) -> impl Iterator<Item = &'a str> {
    let sections = description.sections.iter();
    let of_sections = sections.flat_map(move |section| section.values(name));
    description.values(name).chain(of_sections)
}

fn sources(section: &sdp::Section) -> Vec<u32> {
    let sources = section.values("ssrc");
    let mut sources: Vec<u32> = sources
        .filter_map(|source| source.split(' ').next()?.parse().ok())
        .collect();
    sources.dedup();
    sources.truncate(MAX_NUMBERS);
    sources
}

/// The id of an extension, if it is the one that numbers packets across streams. A direction may follow it (RFC 8285, 5).
fn transport_number(extension: &str) -> Option<u8> {
    let (id, uri) = extension.split_once(' ')?;
    let is_it = uri.split(' ').next() == Some(TRANSPORT_CC);
    let id = id.split('/').next()?.parse().ok()?;
    is_it.then_some(id)
}

fn frames(format: &str) -> Option<(u8, u32)> {
    let (number, rest) = format.split_once(' ')?;
    let mut parts = rest.split('/');
    let name = parts.next()?;
    if NO_FRAMES.iter().any(|none| none.eq_ignore_ascii_case(name)) {
        return None;
    }
    Some((number.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: &str = "v=0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=mid:a\r\n\
        a=rtpmap:111 opus/48000/2\r\n\
        a=ssrc:1 cname:x\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
        a=mid:v\r\n\
        a=rtpmap:96 VP8/90000\r\n\
        a=rtpmap:97 rtx/90000\r\n\
        a=ssrc:2 cname:x\r\n\
        a=ssrc:3 cname:x\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\n\
        a=mid:w\r\n\
        a=rtpmap:96 VP8/90000\r\n\
        a=ssrc:4 cname:x\r\n";

    fn answer() -> String {
        let without: Vec<_> = SENDER
            .lines()
            .filter(|line| !line.contains("ssrc"))
            .collect();
        without.join("\r\n")
            + "\r\na=extmap:3/recvonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    }

    #[test]
    fn packets_find_their_section() {
        let agreed = Agreed::read(SENDER, &answer());
        let mid = |payload_type, source| {
            let section = &agreed.sections[agreed.section(payload_type, source)?];
            let clock = section.clock(payload_type)?;
            Some((section.mid.as_str(), section.kind, clock))
        };
        assert_eq!(mid(111, 1), Some(("a", StreamKind::Audio, 48_000)));
        assert_eq!(mid(96, 2), Some(("v", StreamKind::Video, 90_000)));
        assert_eq!(mid(96, 4), Some(("w", StreamKind::Video, 90_000)));
        assert_eq!(mid(96, 99), Some(("v", StreamKind::Video, 90_000)));
        assert_eq!(mid(97, 3), None, "what is sent again has no frames");
        assert_eq!(mid(98, 2), None);
    }

    #[test]
    fn transport_wide_feedback_is_agreed_on_by_both_lines() {
        let answer = answer();
        assert_eq!(Agreed::read(SENDER, &answer).transport_cc, None);
        let answer = answer + "a=rtcp-fb:96 transport-cc\r\n";
        assert_eq!(Agreed::read(SENDER, &answer).transport_cc, Some(3));
    }

    #[test]
    fn nonsense_agrees_on_nothing() {
        for text in [
            "",
            "m=",
            "a=mid:1",
            "v=0\nm=video",
            "v=0\nm=video 9 x\na=rtpmap:x\na=rtpmap:999 VP8/90000\na=rtpmap:96 VP8",
            "v=0\nm=video 9 x\na=ssrc:\na=extmap:\na=rtcp-fb:",
        ] {
            let agreed = Agreed::read(text, text);
            assert_eq!(agreed.section(96, 1), None, "{text}");
        }
    }
}
