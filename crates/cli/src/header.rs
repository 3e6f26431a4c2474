//! Headers for a server, as the command line gives them.

use std::path::Path;

use crate::bounded_file::read_at_most;

/// More than anybody sends.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// One header, or a file of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

/// Without values, which may be secret.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// Reads `NAME: VALUE`, or `@FILE` with a line for each.
pub(crate) fn headers(text: &str) -> Result<Headers, String> {
    let Some(path) = text.strip_prefix('@') else {
        return line(text).map(|header| Headers(vec![header]));
    };
    let text = read_at_most(Path::new(path), MAX_FILE_BYTES)
        .map_err(|error| format!("no headers in {path}: {error}"))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(line).collect::<Result<_, _>>().map(Headers)
}

fn line(text: &str) -> Result<(String, String), String> {
    let header = text.split_once(':');
    match header.map(|(name, value)| (name.trim(), value.trim())) {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like \"Authorization: Bearer TOKEN\", or @FILE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn header_is_read_from_the_line_or_a_file_and_its_value_is_not_shown() {
        let read = headers("Authorization: Bearer a:b").expect("a header");
        let expected = ("Authorization".to_owned(), "Bearer a:b".to_owned());
        assert_eq!(read.0, vec![expected.clone()]);
        assert_eq!(format!("{read:?}"), "[\"Authorization\"]");

        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "Authorization: Bearer a:b\n\nX-Room: 7").expect("written");
        let read = headers(&format!("@{}", file.path().display())).expect("headers");
        assert_eq!(read.0, [expected, ("X-Room".to_owned(), "7".to_owned())]);
    }

    #[test]
    fn text_that_is_no_header_is_refused_without_being_shown() {
        for text in ["secret", ": secret", "@/nowhere"] {
            assert!(headers(text).is_err(), "{text}");
        }
        let refusal = headers("secret").expect_err("no header");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}
