//! From viewers' descriptions to what the WebRTC library takes.
//!
//! The library sees only what it needs and what was agreed on: it refuses much that viewers write, and
//! some of what hostile ones write would make it panic. What is missing in hand-made descriptions, names
//! of sections and their group, is added.

use str0m::Candidate;

use super::description::{Description, Section};
use super::format::Format;
use super::{colour_space, mid_header, timing};

/// Attributes of transport that the library needs, wherever they stand.
const TRANSPORT: [&str; 3] = ["ice-ufrag", "ice-pwd", "fingerprint"];

/// See [`mid_header`], [`timing`] and [`colour_space`]; and draft-holmer-rmcat-transport-wide-cc-extensions-01.
const EXTENSIONS: [&str; 5] = [
    mid_header::URI,
    timing::PLAYOUT_DELAY_URI,
    timing::CAPTURE_TIME_URI,
    colour_space::URI,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/// What the library is told of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The viewer takes one of these, in the library's terms.
    Takes(Vec<Format>),
    /// Media that is not sent.
    Idle,
    /// The viewer does not want the section.
    Rejected,
    /// No media.
    Other,
}

/// How a viewer calls a section; a name by its place if it does not say.
pub(super) fn mid(section: &Section, place: usize) -> String {
    let mid = section.value("mid").filter(|mid| !mid.contains(' '));
    mid.map_or_else(|| place.to_string(), str::to_owned)
}

/// Whether the viewer rejects a section, or wants it on a transport of its own, which we have not.
///
/// Port 0 says so except in the group of sections that share a transport (RFC 9143, section 7.3.3).
pub(super) fn is_rejected(description: &Description, section: &Section) -> bool {
    let mut groups = description.values("group").map(str::split_ascii_whitespace);
    let bundle = groups.find_map(|mut group| (group.next() == Some("BUNDLE")).then_some(group));
    match (bundle, section.value("mid")) {
        (Some(mut bundle), Some(mid)) => !bundle.any(|member| member == mid),
        _ => section.port == "0" && !section.has("bundle-only"),
    }
}

/// Whether the viewer wants to be sent media in a section.
pub(super) fn is_receiving(description: &Description, section: &Section) -> bool {
    if section.has("sendonly") || section.has("inactive") {
        return false;
    }
    if section.has("recvonly") || section.has("sendrecv") {
        return true;
    }
    // The session's, and else both ways (RFC 8866, section 6.7).
    let mut session = description.session.iter();
    !session.any(|line| line == "a=sendonly" || line == "a=inactive")
}

/// Writes the description for the library. `sections` says of each section how the library calls it and
/// what it is told, `uses` of each candidate whether it is used.
pub(super) fn for_library(
    description: &Description,
    sections: &[(String, Told)],
    mut uses: impl FnMut(&str) -> bool,
) -> String {
    let mut for_library = Description {
        session: ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
            .map(str::to_owned)
            .to_vec(),
        sections: Vec::new(),
    };
    let mut group = "a=group:BUNDLE".to_owned();
    for (mid, told) in sections {
        if *told != Told::Rejected {
            group += " ";
            group += mid;
        }
    }
    for_library.session.push(group);
    if description.session.iter().any(|line| line == "a=ice-lite") {
        for_library.session.push("a=ice-lite".to_owned());
    }
    for name in TRANSPORT {
        let values = description
            .values(name)
            .map(|value| format!("a={name}:{value}"));
        for_library.session.extend(values);
    }
    for (section, (mid, told)) in description.sections.iter().zip(sections) {
        let mut section = section_for_library(section, mid, told, description);
        let candidate = |line: &str| {
            line.strip_prefix("a=")
                .filter(|_| line.starts_with("a=candidate:"))
                .map(str::to_owned)
        };
        section
            .lines
            .retain(|line| candidate(line).is_none_or(|text| uses(&text)));
        for_library.sections.push(section);
    }
    for_library.to_string()
}

fn section_for_library(
    section: &Section,
    mid: &str,
    told: &Told,
    description: &Description,
) -> Section {
    let port = if *told == Told::Rejected { "0" } else { "9" };
    let mut written = Section {
        media: section.media.clone(),
        port: port.to_owned(),
        protocol: section.protocol.clone(),
        formats: Vec::new(),
        lines: vec!["c=IN IP4 0.0.0.0".to_owned(), format!("a=mid:{mid}")],
    };
    for name in TRANSPORT {
        let values = section
            .values(name)
            .map(|value| format!("a={name}:{value}"));
        written.lines.extend(values);
    }
    let setup = section
        .value("setup")
        .or_else(|| description.values("setup").next());
    let setup = setup.filter(|setup| ["active", "passive", "actpass"].contains(setup));
    written
        .lines
        .extend(setup.map(|setup| format!("a=setup:{setup}")));
    let readable = section.values("candidate").filter_map(|candidate| {
        let text = format!("candidate:{candidate}");
        let candidate = Candidate::from_sdp_string(&text).ok()?;
        Some(format!("a={}", candidate.to_sdp_string()))
    });
    written.lines.extend(readable);
    if *told == Told::Other {
        written.formats.clone_from(&section.formats);
        for name in ["sctp-port", "max-message-size", "sctpmap"] {
            let values = section
                .values(name)
                .map(|value| format!("a={name}:{value}"));
            written.lines.extend(values);
        }
        return written;
    }
    written.protocol = "UDP/TLS/RTP/SAVPF".to_owned();
    written.lines.push("a=rtcp-mux".to_owned());
    match told {
        Told::Takes(formats) => {
            written.lines.push("a=recvonly".to_owned());
            written.lines.extend(extensions(section));
            for format in formats {
                format.write(&mut written);
            }
        }
        Told::Idle | Told::Rejected | Told::Other => {
            written.lines.push("a=inactive".to_owned());
            // A section has a format; that of this number needs no further words.
            written.formats.push("0".to_owned());
        }
    }
    written
}

/// The header extensions that are of use, each once.
fn extensions(section: &Section) -> Vec<String> {
    let mut found: Vec<(u8, &str)> = Vec::new();
    for value in section.values("extmap") {
        let mut words = value.split_ascii_whitespace();
        let id = words
            .next()
            .and_then(|id| id.split('/').next()?.parse().ok());
        let (Some(id @ 1..=14), Some(uri)) = (id, words.next()) else {
            continue;
        };
        let taken = found.iter().any(|known| known.0 == id || known.1 == uri);
        if EXTENSIONS.contains(&uri) && !taken {
            found.push((id, uri));
        }
    }
    let for_library = |uri| match uri {
        mid_header::URI => mid_header::URI_FOR_LIBRARY,
        colour_space::URI => colour_space::URI_FOR_LIBRARY,
        other => other,
    };
    let lines = found.into_iter();
    lines
        .map(|(id, uri)| format!("a=extmap:{id} {}", for_library(uri)))
        .collect()
}
