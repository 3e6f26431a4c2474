//! The description that str0m is given, whichever end offered: an offer of the viewer's, as far as it was agreed on.
//!
//! str0m sees only what it needs: it refuses much that viewers write, and some of what hostile ones write would make it panic.
//! Its sections are those that something is sent in, in our order, under names of ours; they were declared before, with our
//! sources. From this it learns which payload types and header extensions each has, the viewer's credentials and certificate,
//! and who begins the handshake.

use str0m::media::{MediaKind, Mid};

use crate::negotiation::header_extensions::HeaderExtensions;
use crate::sdp::description::{Description, Section};
use crate::sdp::format::Format;
use crate::sdp::remote_description::{RemoteTransport, Setup};

/// How the section of data channels is called.
const DATA_MID: &str = "data";

/// One section of str0m's.
#[derive(Clone, Debug)]
pub(crate) enum Str0mLine {
    Media(Str0mSection),
    /// Data channels; the peer takes messages of so many bytes.
    Data(usize),
}

/// One section of media.
#[derive(Clone, Debug)]
pub(crate) struct Str0mSection {
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    /// What the viewer takes, in str0m's terms.
    pub(crate) formats: Vec<Format>,
    pub(crate) extensions: HeaderExtensions,
    /// Whether the peer sends in it, and not we.
    pub(crate) is_received: bool,
}

/// Writes the offer. `ours` is the part that we take in the handshake.
pub(crate) fn offer(remote: &RemoteTransport, ours: Setup, lines: &[Str0mLine]) -> String {
    let mut group = "a=group:BUNDLE".to_owned();
    for line in lines {
        group += " ";
        match line {
            Str0mLine::Media(section) => group += &section.mid,
            Str0mLine::Data(_) => group += DATA_MID,
        }
    }
    let theirs = match ours {
        Setup::Active => Setup::Passive,
        Setup::Passive | Setup::Either => Setup::Active,
    };
    let mut session = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", &group]
        .map(str::to_owned)
        .to_vec();
    if remote.is_lite {
        session.push("a=ice-lite".to_owned());
    }
    session.push(format!("a=ice-ufrag:{}", remote.ufrag));
    session.push(format!("a=ice-pwd:{}", remote.password));
    let fingerprints = remote.fingerprints.iter();
    session.extend(fingerprints.map(|fingerprint| format!("a=fingerprint:{fingerprint}")));
    session.push(format!("a=setup:{}", theirs.as_str()));
    let sections = lines.iter().map(|line| match line {
        Str0mLine::Media(section) => media_section(section),
        Str0mLine::Data(max_message_bytes) => data_section(*max_message_bytes),
    });
    let sections = sections.collect();
    Description { session, sections }.to_string()
}

fn media_section(section: &Str0mSection) -> Section {
    let mut written = Section {
        media: match section.kind {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
        }
        .to_owned(),
        port: "9".to_owned(),
        protocol: "UDP/TLS/RTP/SAVPF".to_owned(),
        formats: Vec::new(),
        lines: vec![
            "c=IN IP4 0.0.0.0".to_owned(),
            format!("a=mid:{}", section.mid),
            "a=rtcp-mux".to_owned(),
            if section.is_received {
                "a=sendonly".to_owned()
            } else {
                "a=recvonly".to_owned()
            },
        ],
    };
    written.lines.extend(section.extensions.lines_for_str0m());
    for format in &section.formats {
        format.write(&mut written);
    }
    written
}

fn data_section(max_message_bytes: usize) -> Section {
    Section {
        media: "application".to_owned(),
        port: "9".to_owned(),
        protocol: "UDP/DTLS/SCTP".to_owned(),
        formats: vec!["webrtc-datachannel".to_owned()],
        lines: vec![
            "c=IN IP4 0.0.0.0".to_owned(),
            format!("a=mid:{DATA_MID}"),
            "a=sctp-port:5000".to_owned(),
            format!("a=max-message-size:{max_message_bytes}"),
        ],
    }
}
