//! Descriptions of ours.
//!
//! * Each section names the formats of its own stream only, in order of preference.
//! * All media is of one media stream, so that it is played in step, and each section's track has an id
//!   of its own: `name-0`, `name-1`, … Chromium refuses a description in which two sections have the same
//!   (`a=msid`, RFC 8830).
//! * What is not sent has no source and no track.

use crate::ids::StreamId;
use crate::negotiation::config::PassedThrough;
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::sdp::description::{Description, Section};
use crate::sdp::format::Format;
use crate::sdp::remote_description::Setup;
use crate::sdp::simulcast;

/// The attribute of sections whose source decides when key frames come. An invention of ours; others pass over it
/// (RFC 8866, section 5.13).
const PASSED_THROUGH: &str = "x-wigwag-passed-through";

/// Of media (RFC 8834, section 4.2).
const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";

/// The longest message of a data channel that is taken, in bytes: what browsers say.
pub(crate) const MAX_MESSAGE_BYTES: usize = 262_144;

/// A description of ours.
pub(crate) struct LocalDescription<'a> {
    /// Names the media stream.
    pub(crate) name: &'a str,
    /// The number of the session (RFC 8866, section 5.2).
    pub(crate) number: u64,
    /// Of this description, one more than that of the one before.
    pub(crate) version: u64,
    /// Of all streams.
    pub(crate) canonical_name: &'a str,
    pub(crate) ufrag: &'a str,
    pub(crate) password: &'a str,
    /// As in `a=fingerprint`.
    pub(crate) fingerprint: &'a str,
    /// The role that we offer or take in DTLS.
    pub(crate) setup: Setup,
    /// As attributes' texts.
    pub(crate) candidates: Vec<String>,
    pub(crate) sections: Vec<LocalSection>,
}

/// One section of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalSection {
    /// `video`, `audio`, `application` …
    pub(crate) media: String,
    /// How the section is called.
    pub(crate) mid: String,
    /// The number of its track.
    pub(crate) track: usize,
    /// The stream that is sent in it, or was.
    pub(crate) stream: Option<StreamId>,
    /// Whether what is sent comes encoded, with key frames when its source likes.
    pub(crate) passed_through: Option<PassedThrough>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Media in these formats, the preferred first.
    Sent {
        formats: Vec<Format>,
        extensions: HeaderExtensions,
        sources: Sources,
    },
    /// Media that the peer sends, in these formats.
    Received {
        formats: Vec<Format>,
        extensions: HeaderExtensions,
        /// The names of the encodings of simulcast.
        encodings: Vec<String>,
    },
    /// Media that is not sent, with a format for form's sake.
    Idle(Format),
    /// The same, when the viewer names no format that can be read.
    IdleAs(Vec<String>),
    /// A section that there is not; it keeps its place, its protocol and what stood for formats.
    Rejected(String, Vec<String>),
    /// Data channels, by this protocol.
    Data(String),
}

/// The sources of a stream (SSRC, RFC 3550).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    pub(crate) media: u32,
    /// Of packets that are sent again (RFC 4588).
    pub(crate) rtx: u32,
}

impl LocalDescription<'_> {
    /// Its text.
    pub(crate) fn write(&self) -> String {
        let name = token(self.name);
        let mut group = "a=group:BUNDLE".to_owned();
        for section in &self.sections {
            if !section.is_rejected() {
                group += " ";
                group += &section.mid;
            }
        }
        let session = vec![
            "v=0".to_owned(),
            format!("o=- {} {} IN IP4 0.0.0.0", self.number, self.version),
            "s=-".to_owned(),
            "t=0 0".to_owned(),
            group,
            "a=extmap-allow-mixed".to_owned(),
            format!("a=msid-semantic: WMS {name}"),
        ];
        let sections = self.sections.iter();
        let mut sections: Vec<_> = sections.map(|it| self.section(it, &name)).collect();
        // The first section of the group speaks for all; of an offer nobody knows yet which that will be, as the viewer
        // may refuse some.
        let speaking = match self.setup {
            Setup::Either => usize::MAX,
            _ => 1,
        };
        let written = sections.iter_mut().zip(&self.sections);
        let there = written.filter(|(_, section)| !section.is_rejected());
        for (written, _) in there.take(speaking) {
            let lines = self.candidates.iter().map(|text| format!("a={text}"));
            written.lines.extend(lines);
        }
        Description { session, sections }.to_string()
    }

    fn section(&self, section: &LocalSection, name: &str) -> Section {
        let is_rejected = section.is_rejected();
        let mut written = Section {
            media: section.media.clone(),
            port: if is_rejected { "0" } else { "9" }.to_owned(),
            protocol: match &section.content {
                Content::Data(protocol) | Content::Rejected(protocol, _) => protocol.clone(),
                _ => PROTOCOL.to_owned(),
            },
            formats: Vec::new(),
            lines: vec![
                "c=IN IP4 0.0.0.0".to_owned(),
                format!("a=ice-ufrag:{}", self.ufrag),
                format!("a=ice-pwd:{}", self.password),
                "a=ice-options:trickle".to_owned(),
                format!("a=fingerprint:{}", self.fingerprint),
                format!("a=setup:{}", self.setup.as_str()),
                format!("a=mid:{}", section.mid),
            ],
        };
        match &section.content {
            Content::Sent {
                formats,
                extensions,
                sources,
            } => {
                written.lines.extend(extensions.lines());
                let msid = format!("msid:{name} {name}-{}", section.track);
                let rtx = formats.iter().any(|format| format.rtx.is_some());
                written.lines.push("a=sendonly".to_owned());
                written.lines.push(format!("a={msid}"));
                written.lines.push("a=rtcp-mux".to_owned());
                self.write_sources(*sources, rtx, &msid, &mut written);
                write_passed_through(section.passed_through.as_ref(), &mut written);
                formats.iter().for_each(|format| format.write(&mut written));
            }
            Content::Received {
                formats,
                extensions,
                encodings,
            } => {
                written.lines.extend(extensions.lines());
                written.lines.push("a=recvonly".to_owned());
                written.lines.push("a=rtcp-mux".to_owned());
                formats.iter().for_each(|format| format.write(&mut written));
                written.lines.extend(simulcast::received_lines(encodings));
            }
            Content::Idle(format) => {
                write_idle(&mut written);
                format.write(&mut written);
            }
            Content::IdleAs(formats) => {
                write_idle(&mut written);
                written.formats.clone_from(formats);
            }
            Content::Rejected(_, formats) => {
                write_idle(&mut written);
                written.formats.clone_from(formats);
            }
            // As before RFC 8841.
            Content::Data(protocol) if protocol == "DTLS/SCTP" => {
                written.formats.push("5000".to_owned());
                let line = "a=sctpmap:5000 webrtc-datachannel 1024".to_owned();
                written.lines.push(line);
            }
            Content::Data(_) => {
                written.formats.push("webrtc-datachannel".to_owned());
                written.lines.push("a=sctp-port:5000".to_owned());
                let line = format!("a=max-message-size:{MAX_MESSAGE_BYTES}");
                written.lines.push(line);
            }
        }
        written
    }

    /// RFC 5576. In these lines older viewers find what `a=msid` says.
    fn write_sources(&self, sources: Sources, has_rtx: bool, msid: &str, written: &mut Section) {
        let Sources { media, rtx } = sources;
        for source in [media, rtx].into_iter().take(if has_rtx { 2 } else { 1 }) {
            let name = self.canonical_name;
            written.lines.push(format!("a=ssrc:{source} cname:{name}"));
            written.lines.push(format!("a=ssrc:{source} {msid}"));
        }
        if has_rtx {
            written
                .lines
                .push(format!("a=ssrc-group:FID {media} {rtx}"));
        }
    }
}

impl LocalSection {
    fn is_rejected(&self) -> bool {
        matches!(self.content, Content::Rejected(..))
    }

    /// The same, in which nothing is sent or received.
    pub(crate) fn idle(self) -> Self {
        let content = match self.content {
            Content::Sent { formats, .. } | Content::Received { formats, .. } => {
                match formats.into_iter().next() {
                    Some(format) => Content::Idle(Format {
                        rtx: None,
                        feedback: Vec::new(),
                        ..format
                    }),
                    None => Content::IdleAs(Vec::new()),
                }
            }
            other => other,
        };
        Self { content, ..self }
    }

    /// The same, which there is not any more.
    pub(crate) fn rejected(self) -> Self {
        let idle = self.idle();
        let content = match idle.content {
            Content::Idle(format) => {
                Content::Rejected(PROTOCOL.to_owned(), vec![format.payload_type.to_string()])
            }
            Content::IdleAs(formats) => Content::Rejected(PROTOCOL.to_owned(), formats),
            Content::Data(protocol) => {
                Content::Rejected(protocol, vec!["webrtc-datachannel".to_owned()])
            }
            other => other,
        };
        Self { content, ..idle }
    }
}

fn write_idle(written: &mut Section) {
    written.lines.push("a=inactive".to_owned());
    written.lines.push("a=rtcp-mux".to_owned());
}

fn write_passed_through(passed_through: Option<&PassedThrough>, written: &mut Section) {
    if let Some(passed_through) = passed_through {
        let caveat = passed_through.caveat.as_deref().map(one_line);
        let caveat = caveat.map(|caveat| format!(":{caveat}"));
        let line = format!("a={PASSED_THROUGH}{}", caveat.unwrap_or_default());
        written.lines.push(line);
    }
}

/// What of a name may stand in `a=msid` (RFC 8830: a token of at most 64 characters).
fn token(name: &str) -> String {
    let may_stand = |character: &char| {
        character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(*character)
    };
    name.chars().filter(may_stand).take(64).collect()
}

/// What of a text may stand in a line of a description.
fn one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
