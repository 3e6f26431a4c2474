//! What viewers of other kinds would say, made from what ours says.

/// The description with this codec alone in its sections of video, and what sends it again.
pub fn only(description: &str, codec: &str) -> String {
    let mut result = String::new();
    for section in sections(description) {
        if !section.starts_with("m=video") {
            result.push_str(&section);
            continue;
        }
        let wanted = format!(" {codec}/");
        let mut kept: Vec<String> = payload_types(&section, "a=rtpmap:", |rest| {
            rest.to_ascii_uppercase().contains(&wanted)
        });
        let again = payload_types(&section, "a=fmtp:", |rest| {
            let apt = rest.split_once("apt=").map(|(_, apt)| apt.trim());
            apt.is_some_and(|apt| kept.iter().any(|kept| kept == apt))
        });
        kept.extend(again);
        result.push_str(&keep(&section, &kept));
    }
    result
}

/// The description with nothing in its sections that anybody knows.
pub fn with_unknown_codecs(description: &str) -> String {
    let mut result = String::new();
    for section in sections(description) {
        if !section.starts_with("m=") {
            result.push_str(&section);
            continue;
        }
        result.push_str(&keep(&section, &["127".to_owned()]));
        result.push_str("a=rtpmap:127 nonsense/90000\r\n");
    }
    result
}

/// The lines that begin with this.
pub fn lines<'a>(description: &'a str, beginning: &'a str) -> Vec<&'a str> {
    description
        .lines()
        .filter(|line| line.starts_with(beginning))
        .collect()
}

/// What stands before the first section, and each section.
fn sections(description: &str) -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in description.lines() {
        if line.starts_with("m=") {
            sections.push(String::new());
        }
        let section = sections.last_mut().expect("there is one");
        section.push_str(line);
        section.push_str("\r\n");
    }
    sections
}

fn payload_types(section: &str, attribute: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = section
        .lines()
        .filter_map(|line| line.strip_prefix(attribute));
    let wanted = lines.filter(|rest| wanted(rest));
    wanted
        .filter_map(|rest| rest.split(' ').next().map(str::to_owned))
        .collect()
}

/// The section without the formats that are not among these.
fn keep(section: &str, kept: &[String]) -> String {
    let mut result = String::new();
    for line in section.lines() {
        let of_format = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .iter()
            .find_map(|attribute| line.strip_prefix(attribute));
        if line.starts_with("m=") {
            let head: Vec<_> = line.split(' ').take(3).collect();
            result.push_str(&format!("{} {}\r\n", head.join(" "), kept.join(" ")));
        } else if let Some(rest) = of_format {
            let format = rest.split(' ').next().unwrap_or_default();
            if format == "*" || kept.iter().any(|kept| kept == format) {
                result.push_str(&format!("{line}\r\n"));
            }
        } else {
            result.push_str(&format!("{line}\r\n"));
        }
    }
    result
}

/// The answer of a viewer that refuses the sections of this kind.
pub fn refused(answer: &str, media: &str) -> String {
    let mut result = String::new();
    let mut refused = Vec::new();
    for section in sections(answer) {
        if !section.starts_with(&format!("m={media}")) {
            result.push_str(&section);
            continue;
        }
        refused.extend(
            lines(&section, "a=mid:")
                .iter()
                .map(|line| line[6..].to_owned()),
        );
        result.push_str(&format!(
            "m={media} 0 UDP/TLS/RTP/SAVPF 0\r\na=inactive\r\n"
        ));
    }
    let in_group = |line: &str| {
        let words = line.split(' ');
        let kept: Vec<_> = words
            .filter(|word| !refused.iter().any(|mid| mid == word))
            .collect();
        kept.join(" ")
    };
    let kept = result
        .lines()
        .map(|line| match line.starts_with("a=group:") {
            true => in_group(line),
            false => line.to_owned(),
        });
    kept.collect::<Vec<_>>().join("\r\n") + "\r\n"
}
