//! Simulcast that a peer sends: one picture in several sizes or rates, a source each (RFC 8853), told apart by names (RFC 8851).

use crate::sdp::description::Section;

/// The most encodings of one picture that are received; of more, the first count.
pub const MAX_ENCODINGS: usize = 4;

/// The longest name of one, in bytes: that of a header extension with a header of one byte (RFC 8285, section 4.2).
const MAX_NAME_BYTES: usize = 16;

/// The names of the encodings that a section is to be sent in, in its order; none without simulcast.
pub(crate) fn sent(section: &Section) -> Vec<String> {
    let Some(simulcast) = section.value("simulcast") else {
        return Vec::new();
    };
    let mut words = simulcast.split_ascii_whitespace();
    let encodings = loop {
        match (words.next(), words.next()) {
            (Some("send"), Some(encodings)) => break encodings,
            (Some(_), Some(_)) => {}
            _ => return Vec::new(),
        }
    };
    let is_declared = |name: &str| {
        section.values("rid").any(|rid| {
            let mut words = rid.split_ascii_whitespace();
            words.next() == Some(name) && words.next() == Some("send")
        })
    };
    let mut names: Vec<String> = Vec::new();
    for alternatives in encodings.split(';') {
        // Of alternatives, the first is preferred; "~" says that it is not sent yet (RFC 8853, section 5.1).
        let first = alternatives.split(',').next().unwrap_or_default();
        let name = first.strip_prefix('~').unwrap_or(first);
        let is_new = names.iter().all(|known| known != name);
        if is_name(name) && is_new && is_declared(name) && names.len() < MAX_ENCODINGS {
            names.push(name.to_owned());
        }
    }
    names
}

/// The lines of a section in which these are received.
pub(crate) fn received_lines(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let rids = names.iter().map(|name| format!("a=rid:{name} recv"));
    let simulcast = format!("a=simulcast:recv {}", names.join(";"));
    rids.chain([simulcast]).collect()
}

/// RFC 8851, section 10.
fn is_name(name: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(may_stand)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::description::Description;

    fn names(lines: &str) -> Vec<String> {
        let text = format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{lines}");
        let description = Description::parse(&text).expect("a description");
        sent(&description.sections[0])
    }

    #[test]
    fn encodings_are_those_that_are_declared_in_the_order_of_simulcast() {
        let rids =
            "a=rid:l send\r\na=rid:h send pt=96;max-width=640\r\na=rid:m send\r\na=rid:r recv\r\n";
        for (simulcast, expected) in [
            ("send h;m;l", &["h", "m", "l"][..]),
            ("recv r send h,m;~l", &["h", "l"]),
            ("send h;h;r;x;l", &["h", "l"]),
            ("recv h;m", &[]),
            ("send", &[]),
        ] {
            let found = names(&format!("{rids}a=simulcast:{simulcast}\r\n"));
            assert_eq!(found, expected, "{simulcast}");
        }
        assert_eq!(names(rids), Vec::<String>::new());
    }

    #[test]
    fn encodings_beyond_the_limit_and_names_that_cannot_be_sent_are_passed_over() {
        let many = (0..10).map(|number| format!("a=rid:{number} send\r\n"));
        let many: String = many.collect();
        let found = names(&format!("{many}a=simulcast:send 0;1;2;3;4;5;6;7;8;9\r\n"));
        assert_eq!(found.len(), MAX_ENCODINGS);
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        let odd = format!("a=rid:{long} send\r\na=rid:a=b send\r\na=simulcast:send {long};a=b\r\n");
        assert_eq!(names(&odd), Vec::<String>::new());
    }

    #[test]
    fn answer_names_what_is_received() {
        let lines = received_lines(&["h".to_owned(), "l".to_owned()]);
        assert_eq!(
            lines,
            ["a=rid:h recv", "a=rid:l recv", "a=simulcast:recv h;l"]
        );
        assert_eq!(received_lines(&[]), Vec::<String>::new());
    }
}
