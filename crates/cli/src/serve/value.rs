//! Kinds of values of settings: how each is read from a file, a variable or a flag, and how it is shown.

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use wigwag_server::TlsVersion;

use crate::logging::LogFormat;

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// In a variable or a flag, where everything is text.
    Word(String),
    /// Text in a file.
    Text(String),
    /// A whole number in a file.
    Number(i64),
    /// `true` or `false` in a file.
    Switch(bool),
    /// A list of texts in a file.
    List(Vec<String>),
    /// A section in a file with nothing in it.
    EmptySection,
    /// Anything else in a file; what it is.
    Other(&'static str),
}

/// How the values of a setting are read and shown.
pub(super) trait Kind {
    type Value;

    /// Relative paths are in `folder`.
    ///
    /// # Errors
    ///
    /// What was expected instead.
    fn read(given: &Given, folder: Option<&Path>) -> Result<Self::Value, String>;

    /// As it would stand in a file; none if there is no value.
    fn show(value: &Self::Value) -> Option<String>;
}

/// What may also have no value.
pub(super) struct Optional<K>(PhantomData<K>);

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    fn read(given: &Given, folder: Option<&Path>) -> Result<Self::Value, String> {
        K::read(given, folder).map(Some)
    }

    fn show(value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(K::show)
    }
}

/// Text that is not empty.
pub(super) struct Text;

impl Kind for Text {
    type Value = String;

    fn read(given: &Given, _: Option<&Path>) -> Result<String, String> {
        match text(given) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(expected("text", given)),
        }
    }

    fn show(value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// What is written as text, and what the server reads from that.
pub(super) struct Parsed<T>(PhantomData<T>);

impl<T> Kind for Parsed<T>
where
    T: FromStr<Err: Display> + Display,
{
    type Value = T;

    fn read(given: &Given, _: Option<&Path>) -> Result<T, String> {
        let text = text(given).ok_or_else(|| expected("text", given))?;
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    fn show(value: &T) -> Option<String> {
        Some(quoted(&value.to_string()))
    }
}

/// A list, in a variable or a flag with commas between its items.
pub(super) struct List<K>(PhantomData<K>);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(given: &Given, folder: Option<&Path>) -> Result<Self::Value, String> {
        let items: Vec<Given> = match given {
            Given::List(texts) => texts.iter().cloned().map(Given::Text).collect(),
            Given::Word(word) => words(word)?,
            _ => return Err(expected("a list of texts such as [\"a\", \"b\"]", given)),
        };
        items.iter().map(|item| K::read(item, folder)).collect()
    }

    fn show(value: &Self::Value) -> Option<String> {
        let items: Vec<String> = value.iter().filter_map(K::show).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Something was meant by a word that is not empty, so one without an item is no list of none.
fn words(list: &str) -> Result<Vec<Given>, String> {
    let items: Vec<Given> = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| Given::Word(item.to_owned()))
        .collect();
    if items.is_empty() && !list.is_empty() {
        let given = Given::Word(list.to_owned());
        return Err(expected("a list such as \"a,b\"", &given));
    }
    Ok(items)
}

/// The name of a file or a folder.
pub(super) struct File;

impl Kind for File {
    type Value = PathBuf;

    fn read(given: &Given, folder: Option<&Path>) -> Result<PathBuf, String> {
        match text(given) {
            Some(path) if !path.is_empty() => {
                Ok(folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path)))
            }
            _ => Err(expected("the path of a file", given)),
        }
    }

    fn show(value: &PathBuf) -> Option<String> {
        Some(quoted(&value.to_string_lossy()))
    }
}

/// `true` or `false`.
pub(super) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn read(given: &Given, _: Option<&Path>) -> Result<bool, String> {
        match given {
            Given::Switch(on) => Ok(*on),
            Given::Word(word) if word == "true" || word == "1" => Ok(true),
            Given::Word(word) if word == "false" || word == "0" => Ok(false),
            _ => Err(expected("true or false", given)),
        }
    }

    fn show(value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// The mode of a socket, in octal digits (chmod(1)).
pub(super) struct Mode;

impl Kind for Mode {
    type Value = u32;

    fn read(given: &Given, _: Option<&Path>) -> Result<u32, String> {
        let mode = text(given).and_then(|text| u32::from_str_radix(text, 8).ok());
        mode.filter(|mode| matches!(mode, 0o600 | 0o660))
            .ok_or_else(|| expected("\"0600\" or \"0660\"", given))
    }

    fn show(value: &u32) -> Option<String> {
        Some(quoted(&format!("{value:04o}")))
    }
}

/// A TCP port.
pub(super) struct Port;

impl Kind for Port {
    type Value = u16;

    fn read(given: &Given, _: Option<&Path>) -> Result<u16, String> {
        number(given)
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| expected("a port from 0 to 65535", given))
    }

    fn show(value: &u16) -> Option<String> {
        Some(value.to_string())
    }
}

/// What to log, in the language of `tracing-subscriber`.
pub(super) struct LogFilter;

impl Kind for LogFilter {
    type Value = String;

    fn read(given: &Given, _: Option<&Path>) -> Result<String, String> {
        let filter = text(given).ok_or_else(|| expected("a log filter", given))?;
        match EnvFilter::try_new(filter) {
            Ok(_) => Ok(filter.to_owned()),
            Err(error) => Err(format!("\"{filter}\" is no log filter: {error}")),
        }
    }

    fn show(value: &String) -> Option<String> {
        Some(quoted(value))
    }
}

/// How lines of the log look.
pub(super) struct Format;

impl Kind for Format {
    type Value = LogFormat;

    fn read(given: &Given, _: Option<&Path>) -> Result<LogFormat, String> {
        match text(given) {
            Some("text") => Ok(LogFormat::Text),
            Some("json") => Ok(LogFormat::Json),
            _ => Err(expected("\"text\" or \"json\"", given)),
        }
    }

    fn show(value: &LogFormat) -> Option<String> {
        Some(quoted(match value {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }))
    }
}

/// A version of TLS.
pub(super) struct Version;

impl Kind for Version {
    type Value = TlsVersion;

    fn read(given: &Given, _: Option<&Path>) -> Result<TlsVersion, String> {
        match text(given) {
            Some("1.2") => Ok(TlsVersion::Tls12),
            Some("1.3") => Ok(TlsVersion::Tls13),
            _ => Err(expected("\"1.2\" or \"1.3\"", given)),
        }
    }

    fn show(value: &TlsVersion) -> Option<String> {
        Some(quoted(match value {
            TlsVersion::Tls12 => "1.2",
            TlsVersion::Tls13 => "1.3",
        }))
    }
}

fn text(given: &Given) -> Option<&str> {
    match given {
        Given::Text(text) | Given::Word(text) => Some(text),
        _ => None,
    }
}

pub(super) fn number(given: &Given) -> Option<i64> {
    match given {
        Given::Number(number) => Some(*number),
        Given::Word(word) => word.parse().ok(),
        _ => None,
    }
}

pub(super) fn expected(what: &str, given: &Given) -> String {
    match given {
        Given::Text(text) | Given::Word(text) => {
            format!("{what} is expected, not {}", quoted(text))
        }
        Given::Number(number) => format!("{what} is expected, not {number}"),
        Given::Switch(on) => format!("{what} is expected, not {on}"),
        Given::List(_) => format!("{what} is expected, not a list"),
        Given::EmptySection => format!("{what} is expected, not a section"),
        Given::Other(other) => format!("{what} is expected, not {other}"),
    }
}

/// As text stands in TOML, which is also fit for a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                quoted += &format!("\\u{:04X}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word<K: Kind>(word: &str) -> Result<K::Value, String> {
        K::read(&Given::Word(word.to_owned()), None)
    }

    #[test]
    fn lists_have_commas_between_in_a_variable() {
        let listed = word::<List<Text>>(" a, b,,c").expect("a list");
        assert_eq!(listed, ["a", "b", "c"]);
        assert_eq!(word::<List<Text>>(""), Ok(Vec::new()));
        for none in [",", " ", " , ,"] {
            word::<List<Text>>(none).expect_err("no item");
        }
        List::<Text>::read(&Given::Text("a".to_owned()), None).expect_err("no list");
    }

    #[test]
    fn files_named_in_a_file_are_beside_it() {
        let given = Given::Text("key.pem".to_owned());
        let folder = Some(Path::new("/etc/wigwag"));
        assert_eq!(File::read(&given, folder), Ok("/etc/wigwag/key.pem".into()));
        let given = Given::Text("/run/key.pem".to_owned());
        assert_eq!(File::read(&given, folder), Ok("/run/key.pem".into()));
    }

    #[test]
    fn mode_that_lets_others_in_refused() {
        assert_eq!(word::<Mode>("0660"), Ok(0o660));
        for bad in ["0666", "0644", "600x", "", "0200"] {
            let reason = word::<Mode>(bad).expect_err(bad);
            assert!(reason.contains("0600"), "{reason}");
        }
        assert_eq!(Mode::show(&0o600).as_deref(), Some("\"0600\""));
    }

    #[test]
    fn a_value_of_another_kind_is_named() {
        let reason = Port::read(&Given::Text("8443".to_owned()), None).expect_err("text");
        assert_eq!(reason, "a port from 0 to 65535 is expected, not \"8443\"");
        let reason = Switch::read(&Given::Number(1), None).expect_err("a number");
        assert_eq!(reason, "true or false is expected, not 1");
        assert_eq!(quoted("a\"\u{1b}\\"), r#""a\"\u001B\\""#);
    }
}
