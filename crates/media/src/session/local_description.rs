//! From the WebRTC library's descriptions to what viewers are told.
//!
//! * Each section names the formats of its own stream only, in order of preference; the library knows
//!   placeholders, the same in all sections.
//! * Sections have the names that we want ([`mid_header`](super::mid_header)).
//! * All media is of one media stream, so that it is played in step, and each section's track has an id
//!   of its own: `name-0`, `name-1`, … Chromium refuses a description in which two sections have the same
//!   (`a=msid`, RFC 8830).
//! * What is not sent has no source and no track.

use std::collections::BTreeSet;

use super::config::PassedThrough;
use super::description::{Description, Section};
use super::format::Format;
use super::{colour_space, mid_header, timing};

/// The attribute of sections whose source decides when key frames come. An invention of ours; others pass over it
/// (RFC 8866, section 5.13).
const PASSED_THROUGH: &str = "x-wigwag-passed-through";

/// What viewers are told of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    /// How the section is called.
    pub(super) mid: String,
    /// The number of its track.
    pub(super) track: usize,
    /// Whether what is sent comes encoded, with key frames when its source likes.
    pub(super) passed_through: Option<PassedThrough>,
    pub(super) content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Media in these formats, the preferred first.
    Sent(Vec<Format>),
    /// Media that is not sent, with a format for form's sake.
    Idle(Format),
    /// The same, when the viewer names no format that can be read.
    IdleAs(Vec<String>),
    /// A section that there is not; it keeps its place and what stood for formats.
    Rejected(Vec<String>),
    /// No media.
    Other,
}

/// Writes the library's description for the viewer. `name` names the media stream, and `sections` says
/// of each section of it what the viewer is told.
pub(super) fn for_viewer(
    library: &Description,
    name: &str,
    sections: &[Telling],
    is_offer: bool,
) -> String {
    let name = token(name);
    let mut described = library.clone();
    let mut candidates = Vec::new();
    for (section, telling) in described.sections.iter_mut().zip(sections) {
        section.lines.retain(|line| {
            let candidate = line.starts_with("a=candidate:");
            if candidate && !candidates.contains(line) {
                candidates.push(line.clone());
            }
            !candidate
        });
        let track = telling.track;
        let msid = format!("msid:{name} {name}-{track}");
        *section = section_for_viewer(section, &msid, telling);
    }
    let told = described.sections.iter_mut().zip(sections);
    let there = told.filter(|(_, telling)| !matches!(telling.content, Content::Rejected(_)));
    // The first section of the group speaks for all; of an offer nobody knows yet which that will be, as the viewer
    // may refuse some.
    for (section, _) in there.take(if is_offer { usize::MAX } else { 1 }) {
        section.lines.extend(candidates.iter().cloned());
    }
    let mut group = "a=group:BUNDLE".to_owned();
    for telling in sections {
        if !matches!(telling.content, Content::Rejected(_)) {
            group += " ";
            group += &telling.mid;
        }
    }
    for line in &mut described.session {
        if line.starts_with("a=group:") {
            line.clone_from(&group);
        } else if line.starts_with("a=msid-semantic:") {
            *line = format!("a=msid-semantic: WMS {name}");
        }
    }
    described.to_string()
}

/// What of a name may stand in `a=msid` (RFC 8830: a token of at most 64 characters).
fn token(name: &str) -> String {
    let may_stand = |character: &char| {
        character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(*character)
    };
    name.chars().filter(may_stand).take(64).collect()
}

fn section_for_viewer(library: &Section, msid: &str, telling: &Telling) -> Section {
    // The library calls what is idle rejected.
    let rejected = matches!(telling.content, Content::Rejected(_));
    let mut section = Section {
        media: library.media.clone(),
        port: if rejected { "0" } else { "9" }.to_owned(),
        protocol: library.protocol.clone(),
        formats: Vec::new(),
        lines: Vec::new(),
    };
    let resends = match &telling.content {
        Content::Sent(formats) => formats.iter().any(|format| format.resend.is_some()),
        _ => false,
    };
    let sent = matches!(telling.content, Content::Sent(_));
    let silent = if resends {
        BTreeSet::new()
    } else {
        resend_sources(library)
    };
    for line in &library.lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name {
            "a=rtpmap" | "a=fmtp" | "a=rtcp-fb" if telling.content != Content::Other => {}
            "a=mid" => section.lines.push(format!("a=mid:{}", telling.mid)),
            "a=extmap" if library.media != "video" && line.ends_with(timing::PLAYOUT_DELAY_URI) => {
            }
            "a=extmap" => {
                let line = line.replace(mid_header::URI_FOR_LIBRARY, mid_header::URI);
                let line = line.replace(colour_space::URI_FOR_LIBRARY, colour_space::URI);
                section.lines.push(line);
            }
            "a=msid" | "a=ssrc" | "a=ssrc-group" if !sent => {}
            "a=msid" => section.lines.push(format!("a={msid}")),
            "a=ssrc-group" if !resends => {}
            "a=ssrc" => {
                let (source, attribute) = value.split_once(' ').unwrap_or((value, ""));
                if silent.contains(source) {
                    continue;
                }
                // In these lines older viewers find the same.
                match attribute.starts_with("msid:") {
                    true => section.lines.push(format!("a=ssrc:{source} {msid}")),
                    false => section.lines.push(line.clone()),
                }
            }
            _ => section.lines.push(line.clone()),
        }
    }
    if sent && let Some(passed_through) = &telling.passed_through {
        let caveat = passed_through.caveat.as_deref().map(one_line);
        let caveat = caveat
            .map(|caveat| format!(":{caveat}"))
            .unwrap_or_default();
        section.lines.push(format!("a={PASSED_THROUGH}{caveat}"));
    }
    match &telling.content {
        Content::Sent(formats) => formats.iter().for_each(|format| format.write(&mut section)),
        Content::Idle(format) => format.write(&mut section),
        Content::IdleAs(formats) | Content::Rejected(formats) => {
            section.formats.clone_from(formats);
        }
        Content::Other => section.formats.clone_from(&library.formats),
    }
    section
}

/// What of a text may stand in a line of a description.
fn one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// The sources of packets sent again (RFC 5576): the second of each pair.
fn resend_sources(section: &Section) -> BTreeSet<&str> {
    let groups = section.values("ssrc-group");
    let pairs = groups.filter_map(|group| group.strip_prefix("FID "));
    pairs
        .filter_map(|pair| pair.split_ascii_whitespace().nth(1))
        .collect()
}
