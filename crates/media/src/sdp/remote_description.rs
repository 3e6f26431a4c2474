//! What viewers' descriptions say of sections and of their end of the transport.
//!
//! What is missing in hand-made descriptions, names of sections and their group, is made up.

use crate::sdp::description::{Description, Section};

/// The longest user name fragment and password that are used, in bytes (RFC 8839, section 5.4).
const MAX_CREDENTIAL_BYTES: usize = 256;

/// The most certificates that a viewer may name.
const MAX_FINGERPRINTS: usize = 8;

/// The part that an end takes in the DTLS handshake (RFC 8842, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    Active,
    Passive,
    /// The other end decides.
    Either,
}

/// A viewer's end of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteTransport {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// As after `a=fingerprint:`.
    pub(crate) fingerprints: Vec<String>,
    /// None if it is not said.
    pub(crate) setup: Option<Setup>,
    /// Whether it answers connectivity checks and sends none (RFC 8445, section 2.5).
    pub(crate) is_lite: bool,
}

impl Setup {
    /// As in `a=setup`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Either => "actpass",
        }
    }

    /// The part that is left for us. Where the viewer leaves it to us, it begins: it knows first that both are there.
    pub(crate) fn ours(remote: Option<Self>) -> Self {
        match remote {
            Some(Self::Passive) => Self::Active,
            Some(Self::Active | Self::Either) | None => Self::Passive,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut all = [Self::Active, Self::Passive, Self::Either].into_iter();
        all.find(|setup| setup.as_str() == text)
    }
}

impl RemoteTransport {
    /// Reads it: sections that share a transport say the same, and the first that is not rejected counts. What it does not say
    /// stands before the sections, or in another. None if there are no usable credentials.
    pub(crate) fn read(
        description: &Description,
        is_rejected: impl Fn(&Section) -> bool,
    ) -> Option<Self> {
        let (rejected, used): (Vec<&Section>, Vec<_>) =
            description.sections.iter().partition(|it| is_rejected(it));
        let of_sections = |sections: Vec<&Section>, name: &'static str| {
            let mut found = sections.into_iter().map(|section| {
                let values = section.values(name).map(str::to_owned);
                values.collect::<Vec<_>>()
            });
            found.find(|values| !values.is_empty())
        };
        let values = |name: &'static str| {
            let session: Vec<_> = description.values(name).map(str::to_owned).collect();
            of_sections(used.clone(), name)
                .or_else(|| Some(session).filter(|values| !values.is_empty()))
                .or_else(|| of_sections(rejected.clone(), name))
                .unwrap_or_default()
        };
        let credential = |name| {
            let value = values(name).into_iter().next()?;
            let is_usable = |value: &String| {
                value.len() <= MAX_CREDENTIAL_BYTES && value.chars().all(|it| it.is_ascii_graphic())
            };
            Some(value).filter(is_usable)
        };
        let mut fingerprints = values("fingerprint");
        fingerprints.truncate(MAX_FINGERPRINTS);
        Some(Self {
            ufrag: credential("ice-ufrag")?,
            password: credential("ice-pwd")?,
            fingerprints,
            setup: values("setup").first().and_then(|it| Setup::parse(it)),
            is_lite: description.session.iter().any(|line| line == "a=ice-lite"),
        })
    }
}

/// The candidates of a description (`candidate:…`).
pub(crate) fn candidates(description: &Description) -> impl Iterator<Item = String> {
    let sections = description.sections.iter();
    let candidates = sections.flat_map(|section| section.values("candidate"));
    candidates.map(|candidate| format!("candidate:{candidate}"))
}

/// How a viewer calls a section; a name by its place if it does not say.
pub(crate) fn mid(section: &Section, place: usize) -> String {
    let mid = section.value("mid").filter(|mid| !mid.contains(' '));
    mid.map_or_else(|| place.to_string(), str::to_owned)
}

/// Whether the viewer rejects a section, or wants it on a transport of its own, which we have not.
///
/// Port 0 says so except in the group of sections that share a transport (RFC 9143, section 7.3.3).
pub(crate) fn is_rejected(description: &Description, section: &Section) -> bool {
    let mut groups = description.values("group").map(str::split_ascii_whitespace);
    let bundle = groups.find_map(|mut group| (group.next() == Some("BUNDLE")).then_some(group));
    match (bundle, section.value("mid")) {
        (Some(mut bundle), Some(mid)) => !bundle.any(|member| member == mid),
        _ => section.port == "0" && !section.has("bundle-only"),
    }
}

/// Whether the viewer wants to be sent media in a section.
pub(crate) fn is_receiving(description: &Description, section: &Section) -> bool {
    matches!(direction(description, section), "recvonly" | "sendrecv")
}

/// Whether the peer sends media in a section.
pub(crate) fn is_sending(description: &Description, section: &Section) -> bool {
    matches!(direction(description, section), "sendonly" | "sendrecv")
}

/// The section's direction, or else the session's, or else both ways (RFC 8866, section 6.7).
fn direction(description: &Description, section: &Section) -> &'static str {
    const ALL: [&str; 4] = ["sendonly", "inactive", "recvonly", "sendrecv"];
    let of_section = ALL.into_iter().find(|direction| section.has(direction));
    let is_of_session = |direction: &&str| {
        let mut session = description.session.iter();
        session.any(|line| line.strip_prefix("a=") == Some(*direction))
    };
    let direction = of_section.or_else(|| ALL.into_iter().find(is_of_session));
    direction.unwrap_or("sendrecv")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<RemoteTransport> {
        let description = Description::parse(text).expect("a description");
        RemoteTransport::read(&description, |section| section.port == "0")
    }

    #[test]
    fn transport_is_that_of_the_first_section_that_is_not_rejected() {
        let transport = read(
            "v=0\r\na=fingerprint:sha-256 AB\r\na=setup:passive\r\na=ice-lite\r\n\
             m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:c\r\na=ice-pwd:d\r\na=setup:active\r\n",
        );
        let transport = transport.expect("it is there");
        assert_eq!((&*transport.ufrag, &*transport.password), ("c", "d"));
        assert_eq!(transport.setup, Some(Setup::Active));
        assert_eq!(transport.fingerprints, ["sha-256 AB"]);
        assert!(transport.is_lite);
    }

    #[test]
    fn transport_without_usable_credentials_is_none() {
        for pwd in [
            "",
            "a=ice-pwd:a b\r\n",
            &format!("a=ice-pwd:{}\r\n", "x".repeat(257)),
        ] {
            let text = format!("v=0\r\na=ice-ufrag:a\r\n{pwd}m=audio 9 RTP/SAVPF 0\r\n");
            assert_eq!(read(&text), None, "{pwd}");
        }
    }

    #[test]
    fn who_leaves_the_handshake_to_us_begins_it() {
        assert_eq!(Setup::ours(Some(Setup::Either)), Setup::Passive);
        assert_eq!(Setup::ours(None), Setup::Passive);
        assert_eq!(Setup::ours(Some(Setup::Active)), Setup::Passive);
        assert_eq!(Setup::ours(Some(Setup::Passive)), Setup::Active);
    }
}
