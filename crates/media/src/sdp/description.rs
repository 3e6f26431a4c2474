//! A session description (RFC 8866) as lines of text, in sections.
//!
//! It knows lines only, so that nothing is lost which nobody understands.

use std::fmt;

/// The longest description that is read: a browser's with every codec and a dozen sections has 60 KiB.
pub const MAX_DESCRIPTION_BYTES: usize = 256 * 1024;

/// The most media sections that are read.
pub const MAX_DESCRIPTION_SECTIONS: usize = 64;

/// Any description, read line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The lines before the first section.
    pub session: Vec<String>,
    /// Those of media and of data, in their order.
    pub sections: Vec<Section>,
}

/// A media section: `m=` and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// `video`, `audio`, `application` …
    pub media: String,
    /// 0 where it is rejected, or in a bundle.
    pub port: String,
    /// What it is carried by, as `UDP/TLS/RTP/SAVPF`.
    pub protocol: String,
    /// Payload types, of RTP.
    pub formats: Vec<String>,
    /// The lines after the first.
    pub lines: Vec<String>,
}

/// It is no description, or longer than [`MAX_DESCRIPTION_BYTES`] or [`MAX_DESCRIPTION_SECTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no session description, or too long a one")]
pub struct Malformed;

impl Description {
    /// Reads a description. Lines may end as on any system.
    ///
    /// # Errors
    ///
    /// It is none, or too long.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if text.len() > MAX_DESCRIPTION_BYTES || lines.next() != Some("v=0") {
            return Err(Malformed);
        }
        let mut description = Self {
            session: vec!["v=0".to_owned()],
            sections: Vec::new(),
        };
        for line in lines {
            if !is_line(line) {
                return Err(Malformed);
            }
            match (line.strip_prefix("m="), description.sections.last_mut()) {
                (Some(media), _) => {
                    let section = Section::parse(media).ok_or(Malformed)?;
                    description.sections.push(section);
                }
                (None, Some(section)) => section.lines.push(line.to_owned()),
                (None, None) => description.session.push(line.to_owned()),
            }
        }
        if description.sections.len() > MAX_DESCRIPTION_SECTIONS {
            return Err(Malformed);
        }
        Ok(description)
    }

    /// The values of a session attribute that comes with a value.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.session, name)
    }
}

impl Section {
    fn parse(media: &str) -> Option<Self> {
        let mut words = media.split_ascii_whitespace().map(str::to_owned);
        Some(Self {
            media: words.next()?,
            port: words.next()?,
            protocol: words.next()?,
            formats: words.collect(),
            lines: Vec::new(),
        })
    }

    /// The values of an attribute that comes with a value.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        values(&self.lines, name)
    }

    /// The value of an attribute that comes once.
    pub fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Whether it has the attribute, which comes without a value.
    pub fn has(&self, name: &str) -> bool {
        let mut attributes = self.lines.iter().filter_map(|line| line.strip_prefix("a="));
        attributes.any(|attribute| attribute == name)
    }

    /// Whether it is for audio or video by RTP.
    pub fn is_media(&self) -> bool {
        (self.media == "audio" || self.media == "video") && self.protocol.contains("RTP")
    }

    /// Whether it is for data channels (RFC 8841).
    pub fn is_data(&self) -> bool {
        let protocol = self.protocol.strip_prefix("UDP/").unwrap_or(&self.protocol);
        self.media == "application" && matches!(protocol, "DTLS/SCTP" | "TCP/DTLS/SCTP")
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.session {
            write!(f, "{line}\r\n")?;
        }
        for section in &self.sections {
            write!(
                f,
                "m={} {} {}",
                section.media, section.port, section.protocol
            )?;
            for format in &section.formats {
                write!(f, " {format}")?;
            }
            f.write_str("\r\n")?;
            for line in &section.lines {
                write!(f, "{line}\r\n")?;
            }
        }
        Ok(())
    }
}

fn values<'a>(lines: &'a [String], name: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(move |line| {
        let (found, value) = line.strip_prefix("a=")?.split_once(':')?;
        (found == name).then(|| value.trim())
    })
}

/// A letter, an equals sign, and something.
fn is_line(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() >= 2 && bytes[0].is_ascii_lowercase() && bytes[1] == b'='
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=group:BUNDLE 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\na=recvonly\r\n";

    #[test]
    fn what_was_read_is_written_again() {
        let description = Description::parse(SMALL).expect("a description");
        assert_eq!(description.to_string(), SMALL);
        assert_eq!(description.values("group").next(), Some("BUNDLE 0"));
        let section = &description.sections[0];
        assert_eq!(section.formats, ["96", "97"]);
        assert_eq!(section.value("mid"), Some("0"));
        assert!(section.has("recvonly") && section.is_media());
        let other_line_ends = SMALL.replace('\r', "");
        assert_eq!(Description::parse(&other_line_ends).ok(), Some(description));
    }

    #[test]
    fn what_is_no_description_is_told_apart() {
        for text in [
            "",
            "nonsense",
            "v=1\r\n",
            "v=0\r\nm=video\r\n",
            "v=0\nhello\n",
        ] {
            assert!(Description::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn descriptions_are_bounded() {
        let section = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        let most = format!("v=0\r\n{}", section.repeat(MAX_DESCRIPTION_SECTIONS));
        assert!(Description::parse(&most).is_ok());
        assert!(Description::parse(&(most + section)).is_err());
        let long = format!("v=0\r\na=x:{}\r\n", "y".repeat(MAX_DESCRIPTION_BYTES));
        assert!(Description::parse(&long).is_err());
    }
}
