//! The settings file (TOML), read to the places where its values stand.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;
use super::value::Given;
use crate::bounded_file::read_at_most;

/// No file of settings is this long; something else was named by mistake.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A value in the file.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// With the section, as in `limits.max_peers`.
    pub(super) key: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) given: Given,
}

/// Reads a file to its values, in no order.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Mistake> {
    let text = read_at_most(path, MAX_FILE_BYTES).map_err(|source| Mistake::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, reason)| Mistake::Syntax {
        path: path.to_owned(),
        line,
        reason,
    })
}

/// What is no TOML is said with its line.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (line_of(text, at), error.message().replace('\n', ", "))
    })?;
    let mut entries = Vec::new();
    flatten(text, "", table.get_ref(), &mut entries);
    Ok(entries)
}

fn flatten(text: &str, section: &str, table: &DeTable<'_>, entries: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = if section.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{section}.{}", name.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => flatten(text, &key, table, entries),
            other => entries.push(Entry {
                key,
                line: line_of(text, name.span().start),
                given: given(other),
            }),
        }
    }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Boolean(on) => Given::Switch(*on),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Given::Number(number),
            Err(_) => Given::Other("a number that long"),
        },
        DeValue::Array(values) => {
            let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
            match values.iter().map(text).collect() {
                Some(texts) => Given::List(texts),
                None => Given::Other("a list of other things than texts"),
            }
        }
        // One that is not empty was taken apart.
        DeValue::Table(_) => Given::EmptySection,
        DeValue::Float(_) => Given::Other("a number with a fraction"),
        DeValue::Datetime(_) => Given::Other("a date"),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_with_their_lines() {
        let text = "port = 1\n\n[limits]\nmax_peers = 0x10 # or so\nmax_message_bytes = \"1MiB\"\n\
                    [tls.acme]\ndomains = ['a', \"b\"]\n";
        let mut entries = parse(text).expect("TOML");
        entries.sort_by_key(|entry| entry.line);
        let found: Vec<_> = entries
            .into_iter()
            .map(|entry| (entry.key, entry.line, entry.given))
            .collect();
        let list = Given::List(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(
            found,
            [
                ("port".to_owned(), 1, Given::Number(1)),
                ("limits.max_peers".to_owned(), 4, Given::Number(16)),
                (
                    "limits.max_message_bytes".to_owned(),
                    5,
                    Given::Text("1MiB".to_owned())
                ),
                ("tls.acme.domains".to_owned(), 7, list),
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_said_with_its_line() {
        for (text, line) in [
            ("a = 1\nb =\n", 2),
            ("[a\n", 1),
            ("\n\na = 1\na = 2", 4),
            ("=", 1),
        ] {
            let (said, reason) = parse(text).expect_err(text);
            assert_eq!(said, line, "{text}: {reason}");
            assert_eq!(reason.lines().count(), 1, "{reason}");
        }
    }

    #[test]
    fn what_no_setting_can_be_is_told_apart() {
        let entries = parse("a = 1.5\nb = [1]\nc = 1979-05-27\n[d]\n").expect("TOML");
        for entry in entries {
            let is_other = matches!(entry.given, Given::Other(_) | Given::EmptySection);
            assert!(is_other, "{entry:?}");
        }
    }
}
